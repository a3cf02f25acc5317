import { MAX_EMAIL_LENGTH } from '../domain/email';
import {
  GENDERS,
  MAX_NAME_LENGTH,
  MAX_OCCUPATION_LENGTH,
  MIN_LENGTH,
  SEXES,
  type Registration,
} from '../domain/registration';
import { PAGE_LIMIT } from '../domain/pagination';
import type { User } from '../domain/stored-user';
import { ERRORS } from '../http/error-catalogue';
import { FAILURE_REASONS } from '../services/ports/messaging';

const JOHN: Registration = {
  firstName: 'John',
  lastName: 'Doe',
  email: 'john.doe@example.com',
  gender: 'male',
  sex: 'male',
  occupation: 'Software Engineer',
};
const CREATED_AT = '2026-11-23T21:23:29.482Z';
const STORED_JOHN: User = {
  id: 1,
  first_name: JOHN.firstName,
  last_name: JOHN.lastName,
  email: JOHN.email,
  gender: JOHN.gender,
  sex: JOHN.sex,
  occupation: JOHN.occupation,
  created_at: CREATED_AT,
  updated_at: CREATED_AT,
};

const email = { type: 'string', format: 'idn-email', maxLength: MAX_EMAIL_LENGTH };
const time = {
  type: 'string',
  description: 'ISO 8601 in UTC; of rows made by hand also `infinity`, and years with a sign and six digits',
  pattern: '(Z|infinity)$',
};

// What trimming removes. Not \s, which means more in some other languages than in JavaScript.
const WHITESPACE = '[\\t-\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]*';

/** Text whose length counts after trimming and in NFC, which a maxLength could not say. */
function trimmedText(max: number) {
  return {
    type: 'string',
    description: `${MIN_LENGTH}-${max} characters after trimming and in NFC, none of them a control character`,
    minLength: MIN_LENGTH,
    pattern: `^${WHITESPACE}\\S[\\s\\S]{0,${max - 2}}\\S${WHITESPACE}$`,
  };
}

/** One of these words. Whitespace around it is accepted, which an enum could not say. */
function trimmedEnum(words: readonly string[]) {
  const pattern = `^${WHITESPACE}(${words.join('|')})${WHITESPACE}$`;
  return { anyOf: [oneOf(words), { type: 'string', pattern }] };
}

function oneOf(words: readonly string[]) {
  return { type: 'string', enum: words };
}

/** An object with exactly these fields, each of them required unless it is listed as optional. */
export function closedObject(properties: Readonly<Record<string, object>>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', required, properties, additionalProperties: false };
}

const accepted = {
  success: true,
  message: 'User registration submitted successfully',
  data: { email: JOHN.email },
};

/** What clients send and receive. */
export const schemas = {
  Registration: {
    type: 'object',
    description:
      'Strings are trimmed and brought to NFC first. Lengths count code points. Control characters, bidirectional ' +
      'overrides, lone surrogates and text without a visible character are rejected. Unknown fields are dropped.',
    required: Object.keys(JOHN),
    properties: {
      firstName: trimmedText(MAX_NAME_LENGTH),
      lastName: trimmedText(MAX_NAME_LENGTH),
      email: {
        type: 'string',
        description:
          `An email of at most ${MAX_EMAIL_LENGTH} characters, in any script and any TLD. It is normalised (NFC), ` +
          'lower-cased, and its domain turned into ASCII as IDNA says; this form is the one stored and returned.',
        // IDNA ignores U+FEFF, which is white space to JavaScript.
        pattern: `^${WHITESPACE}[^\\s@]+@(?:[^\\s@]|\\ufeff)+${WHITESPACE}$`,
      },
      gender: trimmedEnum(GENDERS),
      sex: trimmedEnum(SEXES),
      occupation: trimmedText(MAX_OCCUPATION_LENGTH),
    },
    examples: [JOHN],
  },
  Accepted: {
    ...closedObject({
      success: { const: true },
      message: { const: accepted.message },
      data: closedObject({ email }),
    }),
    examples: [accepted],
  },
  User: {
    ...closedObject({
      id: { type: 'integer', minimum: 1 },
      first_name: { type: 'string', maxLength: MAX_NAME_LENGTH },
      last_name: { type: 'string', maxLength: MAX_NAME_LENGTH },
      email,
      gender: oneOf(GENDERS),
      sex: oneOf(SEXES),
      occupation: { type: 'string', maxLength: MAX_OCCUPATION_LENGTH },
      created_at: time,
      updated_at: time,
    }),
    examples: [STORED_JOHN],
  },
  UserAnswer: closedObject({ success: { const: true }, data: { $ref: '#/components/schemas/User' } }),
  UsersAnswer: closedObject({
    success: { const: true },
    count: { type: 'integer', minimum: 0, maximum: PAGE_LIMIT.max, description: 'Users in `data`' },
    data: { type: 'array', maxItems: PAGE_LIMIT.max, items: { $ref: '#/components/schemas/User' } },
  }),
  StatusAnswer: closedObject({
    success: { const: true },
    data: closedObject(
      {
        email,
        status: oneOf(['pending', 'completed', 'failed']),
        reason: { ...oneOf(FAILURE_REASONS), description: 'Why it failed; only then' },
      },
      ['reason'],
    ),
  }),
  ErasedAnswer: closedObject({
    success: { const: true },
    message: { const: 'User erased' },
    data: closedObject({
      email,
      erasedAt: { ...time, description: 'ISO 8601 in UTC' },
      row: { type: 'boolean', description: 'Whether the user was stored' },
      finished: {
        type: 'boolean',
        description: 'False when the cache is unavailable; it follows within a minute',
      },
    }),
  }),
  Problem: closedObject(
    {
      type: { const: 'about:blank' },
      title: { type: 'string', examples: ['Bad Request'] },
      status: { type: 'integer', examples: [400] },
      detail: { type: 'string', description: 'For people: the `error` of the other form' },
      code: oneOf([...new Set(Object.values(ERRORS).map(({ code }) => code))]),
      errors: {
        type: 'array',
        description: 'With `validation_failed`: each field, parameter or header that breaks a rule',
        items: closedObject({ field: { type: 'string' }, message: { type: 'string' } }),
      },
    },
    ['errors'],
  ),
  Health: closedObject({
    uptime: { type: 'number', minimum: 0, description: 'Seconds since the process started' },
    message: oneOf(['OK', 'Degraded']),
    timestamp: { type: 'integer', description: 'Milliseconds since 1970' },
    services: closedObject({
      redis: { $ref: '#/components/schemas/Condition' },
      postgres: { $ref: '#/components/schemas/Condition' },
      kafka: { $ref: '#/components/schemas/Condition' },
    }),
  }),
  Condition: oneOf(['healthy', 'unhealthy']),
} as const;

/** A reference to one of them. */
export function schema(name: keyof typeof schemas) {
  return { $ref: `#/components/schemas/${name}` };
}

export const EXAMPLES = { registration: JOHN, accepted, user: STORED_JOHN };

import { FAILURE_REASONS } from '../services/ports';

const JOHN = {
  firstName: 'John',
  lastName: 'Doe',
  email: 'john.doe@example.com',
  gender: 'male',
  sex: 'male',
  occupation: 'Software Engineer',
};
const CREATED_AT = '2026-11-23T21:23:29.482Z';

const GENDERS = ['male', 'female', 'non-binary', 'prefer-not-to-say'];
const SEXES = ['male', 'female', 'intersex'];
const email = { type: 'string', format: 'idn-email', maxLength: 254 };
const time = { type: 'string', format: 'date-time', pattern: 'Z$' };

// What trimming takes away. Not \s, which means more in some other languages than in JavaScript.
const BLANKS = '[\\t-\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]*';

/** Text whose length counts after trimming, which a maxLength could not say. */
function trimmedText(max: number) {
  return {
    type: 'string',
    description: `2-${max} characters after trimming, none of them a control character`,
    minLength: 2,
    pattern: `^${BLANKS}\\S[\\s\\S]{0,${max - 2}}\\S${BLANKS}$`,
  };
}

/** One of these words. Blanks around it are forgiven, which an enum could not say. */
function trimmedChoice(words: readonly string[]) {
  return { anyOf: [oneOf(words), { type: 'string', pattern: `^${BLANKS}(${words.join('|')})${BLANKS}$` }] };
}

function oneOf(words: readonly string[]) {
  return { type: 'string', enum: words };
}

/** An answer's object: exactly these fields, each of them always there unless it is named optional. */
function exactly(properties: Readonly<Record<string, object>>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', required, properties, additionalProperties: false };
}

/** What goes in and comes out. */
export const schemas = {
  Registration: {
    type: 'object',
    description:
      'Strings are trimmed first. Lengths count Unicode code points. Control characters, bidirectional overrides, ' +
      'lone surrogates and text without a visible character are refused. Unknown fields are dropped.',
    required: ['firstName', 'lastName', 'email', 'gender', 'sex', 'occupation'],
    properties: {
      firstName: trimmedText(100),
      lastName: trimmedText(100),
      email: {
        type: 'string',
        description:
          'An e-mail of at most 254 characters, in any script and any TLD. It is normalised (NFC), lower-cased, and its ' +
          'domain turned into ASCII; this form is the one stored and returned.',
        pattern: `^${BLANKS}[^\\s@]+@[^\\s@]+${BLANKS}$`,
      },
      gender: trimmedChoice(GENDERS),
      sex: trimmedChoice(SEXES),
      occupation: trimmedText(255),
    },
    examples: [JOHN],
  },
  Accepted: {
    ...exactly({
      success: { const: true },
      message: { const: 'User registration submitted successfully' },
      data: exactly({ email }),
    }),
    examples: [
      {
        success: true,
        message: 'User registration submitted successfully',
        data: { email: JOHN.email },
      },
    ],
  },
  User: {
    ...exactly({
      id: { type: 'integer', minimum: 1 },
      first_name: { type: 'string', maxLength: 100 },
      last_name: { type: 'string', maxLength: 100 },
      email,
      gender: oneOf(GENDERS),
      sex: oneOf(SEXES),
      occupation: { type: 'string', maxLength: 255 },
      created_at: time,
      updated_at: time,
    }),
    examples: [
      {
        id: 1,
        first_name: JOHN.firstName,
        last_name: JOHN.lastName,
        email: JOHN.email,
        gender: JOHN.gender,
        sex: JOHN.sex,
        occupation: JOHN.occupation,
        created_at: CREATED_AT,
        updated_at: CREATED_AT,
      },
    ],
  },
  UserAnswer: exactly({ success: { const: true }, data: { $ref: '#/components/schemas/User' } }),
  UsersAnswer: exactly({
    success: { const: true },
    count: { type: 'integer', minimum: 0, maximum: 1000, description: 'Users in `data`' },
    data: { type: 'array', maxItems: 1000, items: { $ref: '#/components/schemas/User' } },
  }),
  StatusAnswer: exactly({
    success: { const: true },
    data: exactly(
      {
        email,
        status: { type: 'string', enum: ['pending', 'completed', 'failed'] },
        reason: {
          type: 'string',
          enum: FAILURE_REASONS,
          description: 'Why it failed; only then',
        },
      },
      ['reason'],
    ),
  }),
  Health: exactly({
    uptime: { type: 'number', minimum: 0, description: 'Seconds since the process started' },
    message: { type: 'string', enum: ['OK', 'Degraded'] },
    timestamp: { type: 'integer', description: 'Milliseconds since 1970' },
    services: exactly({
      redis: { $ref: '#/components/schemas/Condition' },
      postgres: { $ref: '#/components/schemas/Condition' },
      kafka: { $ref: '#/components/schemas/Condition' },
    }),
  }),
  Condition: { type: 'string', enum: ['healthy', 'unhealthy'] },
} as const;

/** A reference to one of them. */
export function schema(name: keyof typeof schemas) {
  return { $ref: `#/components/schemas/${name}` };
}

/** The example of a schema that has one. */
export const EXAMPLES = {
  registration: JOHN,
  accepted: schemas.Accepted.examples[0],
  user: schemas.User.examples[0],
};

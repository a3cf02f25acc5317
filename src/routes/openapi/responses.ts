import { ERRORS, type ErrorName } from './errors';
import { ALLOW, ALWAYS, COUNTED, RETRY_AFTER, RETRY_AFTER_IF_PENDING, WWW_AUTHENTICATE } from './headers';

type Examples = Readonly<Record<string, { readonly summary?: string; readonly value: unknown }>>;

/** An answer with a JSON body. */
export function json(description: string, headers: object, schema: object, examples?: Examples) {
  return {
    description,
    headers,
    content: { 'application/json': { schema, ...(examples !== undefined && { examples }) } },
  };
}

/** An answer with one of these errors. */
function failure(headers: object, ...names: readonly ErrorName[]) {
  const errors = names.map((name) => ERRORS[name].error);
  // The rule that is broken, and by what, is in the text.
  const text = names.includes('invalid')
    ? { type: 'string', pattern: `^(Validation error: .+|${errors.slice(1).join('|')})$` }
    : { type: 'string', enum: errors };
  const schema = {
    type: 'object',
    required: ['success', 'error'],
    properties: { success: { const: false }, error: text },
    additionalProperties: false,
  };
  const examples = Object.fromEntries(
    names.map((name) => [
      name,
      { summary: ERRORS[name].when, value: { success: false, error: ERRORS[name].error } },
    ]),
  );
  return json(names.map((name) => ERRORS[name].when).join('; or '), headers, schema, examples);
}

/** The answers that are errors. */
export const responses = {
  InvalidRegistration: failure(COUNTED, 'invalid', 'malformedJson', 'brokenBody', 'brokenHttp'),
  InvalidPage: failure(COUNTED, 'invalid', 'brokenHttp'),
  InvalidEmail: failure(COUNTED, 'invalid', 'malformedPath', 'brokenHttp'),
  BrokenRequest: failure(ALWAYS, 'brokenHttp'),
  Unauthorized: failure({ ...COUNTED, ...WWW_AUTHENTICATE }, 'unauthorized'),
  UserNotFound: failure(COUNTED, 'userNotFound'),
  NotFound: failure(COUNTED, 'notFound'),
  MethodNotAllowed: failure({ ...COUNTED, ...ALLOW }, 'methodNotAllowed'),
  TooSlow: failure(ALWAYS, 'tooSlow'),
  Conflict: failure(
    { ...COUNTED, ...RETRY_AFTER_IF_PENDING },
    'alreadyRegistered',
    'registrationInProgress',
    'keyInFlight',
  ),
  TooLarge: failure(COUNTED, 'tooLarge'),
  UnsupportedMediaType: failure(COUNTED, 'otherType', 'otherEncoding'),
  IdempotencyKeyReused: failure(COUNTED, 'keyReused'),
  TooManyRequests: failure({ ...COUNTED, ...RETRY_AFTER }, 'tooMany'),
  HeadersTooLarge: failure(ALWAYS, 'largeHeaders'),
  Crash: failure(COUNTED, 'crash'),
  Unavailable: failure({ ...COUNTED, ...RETRY_AFTER }, 'unavailable'),
};

export type ResponseName = keyof typeof responses;

/** References to answers, by status. */
export function answers(byStatus: Readonly<Record<number, ResponseName>>) {
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, name]) => [status, { $ref: `#/components/responses/${name}` }]),
  );
}

/** What any request may be answered. */
export const ANY_REQUEST = answers({ 408: 'TooSlow', 431: 'HeadersTooLarge', 500: 'Crash' });

/** What any request that the limit counts may be answered. */
export const ANY_COUNTED_REQUEST = {
  ...answers({ 429: 'TooManyRequests', 503: 'Unavailable' }),
  ...ANY_REQUEST,
};

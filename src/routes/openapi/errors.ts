interface DescribedError {
  readonly status: number;
  /** The text of the answer; of those that differ, an example. */
  readonly error: string;
  readonly when: string;
}

/** Every error the API answers with, and when: the table in the description, and the examples of the answers. */
export const ERRORS = {
  invalid: {
    status: 400,
    error: 'Validation error: email must be a valid email',
    when: 'a field or parameter breaks a rule; the first one is named',
  },
  malformedJson: {
    status: 400,
    error: 'Request body is not valid JSON',
    when: 'the body is no JSON in UTF-8',
  },
  malformedPath: {
    status: 400,
    error: 'Malformed percent-encoding in the path',
    when: 'a % in the path stands for no character',
  },
  brokenBody: {
    status: 400,
    error: 'Bad request',
    when: 'the body is shorter than announced, or cannot be unpacked',
  },
  brokenHttp: { status: 400, error: 'Request is not valid HTTP', when: 'the request cannot be read as HTTP' },
  unauthorized: {
    status: 401,
    error: 'A valid API key is required',
    when: 'reading needs an API key, and there is none or a wrong one',
  },
  userNotFound: {
    status: 404,
    error: 'User not found',
    when: 'nobody has this e-mail; GET by e-mail says so while the registration is pending, too',
  },
  notFound: { status: 404, error: 'Not found', when: 'there is nothing at this path' },
  methodNotAllowed: {
    status: 405,
    error: 'Method not allowed',
    when: 'the path has other methods, named in `Allow`',
  },
  tooSlow: { status: 408, error: 'Request took too long', when: 'the request did not arrive within 30 s' },
  alreadyRegistered: { status: 409, error: 'User already registered', when: 'the e-mail has a row' },
  registrationInProgress: {
    status: 409,
    error: 'Registration already in progress',
    when: 'another registration of the e-mail is on its way',
  },
  keyInFlight: {
    status: 409,
    error: 'A request with this Idempotency-Key is in progress',
    when: 'the first request with this Idempotency-Key has no answer yet',
  },
  tooLarge: {
    status: 413,
    error: 'Request body is too large (limit 16 kB)',
    when: 'the body is above 16 kB',
  },
  otherType: {
    status: 415,
    error: 'Content-Type must be application/json',
    when: 'the body has another content type',
  },
  otherEncoding: {
    status: 415,
    error: 'Unsupported content encoding or charset',
    when: 'the body has an encoding or charset that the service does not know',
  },
  keyReused: {
    status: 422,
    error: 'Idempotency-Key was used with another body',
    when: 'the Idempotency-Key came with another registration before',
  },
  tooMany: {
    status: 429,
    error: 'Too many requests, please try again later',
    when: 'the address has used up its requests (100 in 15 minutes)',
  },
  largeHeaders: {
    status: 431,
    error: 'Request headers are too large',
    when: 'the headers are above 16 kB, or more than 100',
  },
  crash: { status: 500, error: 'Internal server error', when: 'a bug; the log knows it by its X-Request-Id' },
  unavailable: {
    status: 503,
    error: 'Service temporarily unavailable, please retry',
    when: 'a dependency is away, or there is too much to do: send the same again after `Retry-After` seconds',
  },
} as const satisfies Readonly<Record<string, DescribedError>>;

export type ErrorName = keyof typeof ERRORS;

/** All of them as a table in Markdown. */
export function errorTable(): string {
  const rows = Object.values(ERRORS).map(
    ({ status, error, when }) => `| ${status} | \`${error}\` | ${when} |`,
  );
  return ['| status | error | when |', '|---|---|---|', ...rows].join('\n');
}

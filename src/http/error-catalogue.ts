import createError, { type HttpError } from 'http-errors';
import type { ValidationError } from '../domain/errors';

/** What a client is told about one kind of error. */
export interface ErrorResponse {
  readonly status: number;
  /** For programs; errors that ask for the same reaction share one. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
  readonly brokenRules?: ValidationError['brokenRules'];
}

interface DescribedError extends ErrorResponse {
  /** When it is sent: a sentence for the API's description. */
  readonly when: string;
}

/** Every error of the API. The handlers send these, and the OpenAPI document describes them. */
export const ERRORS = {
  validationFailed: {
    status: 400,
    code: 'validation_failed',
    // An example: the response names the rule that is broken.
    message: 'Validation error: email must be a valid email',
    when: 'a field or parameter breaks a rule; the first one is named, `errors` has all',
  },
  malformedBody: {
    status: 400,
    code: 'malformed_body',
    message: 'Request body is not valid JSON',
    when: 'the body is not JSON in UTF-8',
  },
  malformedPath: {
    status: 400,
    code: 'malformed_request',
    message: 'Malformed percent-encoding in the path',
    when: 'the path has a % that encodes no character',
  },
  unreadableBody: {
    status: 400,
    code: 'malformed_body',
    message: 'Bad request',
    when: 'the body is shorter than announced, or cannot be decompressed',
  },
  malformedRequest: {
    status: 400,
    code: 'malformed_request',
    message: 'Request is not valid HTTP',
    when: 'the request cannot be parsed, or two servers could read it differently',
  },
  apiKeyRequired: {
    status: 401,
    code: 'api_key_required',
    message: 'A valid API key is required',
    when: 'reading or erasing needs an API key, and the request has none or a wrong one',
  },
  forbidden: {
    status: 403,
    code: 'forbidden',
    message: 'This API key may not erase',
    when: 'erasing needs a key of `ADMIN_API_KEYS`',
  },
  userNotFound: {
    status: 404,
    code: 'user_not_found',
    message: 'User not found',
    when: 'no user has this email; GET by email says so while the registration is pending, too',
  },
  notFound: { status: 404, code: 'not_found', message: 'Not found', when: 'the path does not exist' },
  methodNotAllowed: {
    status: 405,
    code: 'method_not_allowed',
    message: 'Method not allowed',
    when: 'the path has other methods, listed in `Allow`',
  },
  requestTimeout: {
    status: 408,
    code: 'request_timeout',
    message: 'Request took too long',
    when: 'the request did not arrive within 30 s',
  },
  alreadyRegistered: {
    status: 409,
    code: 'already_registered',
    message: 'User already registered',
    when: 'the email is registered',
  },
  recentlyRegistered: {
    status: 409,
    code: 'recently_registered',
    message: 'User registered a moment ago, please retry',
    when: 'the row is younger than 10 s, so that the erasure has to wait',
    retryAfterSeconds: 10,
  },
  registrationInProgress: {
    status: 409,
    code: 'registration_in_progress',
    message: 'Registration already in progress',
    when: 'a different registration of the email is pending',
    retryAfterSeconds: 1,
  },
  requestInProgress: {
    status: 409,
    code: 'request_in_progress',
    message: 'A request with this Idempotency-Key is in progress',
    when: 'the first request with this Idempotency-Key has no response yet',
    retryAfterSeconds: 1,
  },
  bodyTooLarge: {
    status: 413,
    code: 'body_too_large',
    message: 'Request body is too large (limit 16 kB)',
    when: 'the body is larger than 16 kB',
  },
  unsupportedMediaType: {
    status: 415,
    code: 'unsupported_media_type',
    message: 'Content-Type must be application/json',
    when: 'the body has another content type',
  },
  unsupportedEncoding: {
    status: 415,
    code: 'unsupported_media_type',
    message: 'Unsupported content encoding or charset',
    when: 'the body has an unknown encoding or charset',
  },
  idempotencyKeyReused: {
    status: 422,
    code: 'idempotency_key_reused',
    message: 'Idempotency-Key was used with another registration',
    when: 'the Idempotency-Key came with another registration before',
  },
  rateLimited: {
    status: 429,
    code: 'rate_limited',
    message: 'Too many requests, please try again later',
    when: 'the address has used up its requests (100 in 15 minutes)',
    // Retry-After is the end of the window: the rate limiter sets it.
  },
  headersTooLarge: {
    status: 431,
    code: 'headers_too_large',
    message: 'Request headers are too large',
    when: 'the headers are larger than 16 kB, or more than 100',
  },
  internal: {
    status: 500,
    code: 'internal',
    message: 'Internal server error',
    when: 'unexpected error; quote X-Request-Id when reporting it',
  },
  unavailable: {
    status: 503,
    code: 'unavailable',
    message: 'Service temporarily unavailable, please retry',
    when: 'a dependency is unavailable, or the service is overloaded: send the same again after `Retry-After` seconds',
    retryAfterSeconds: 2,
  },
} as const satisfies Readonly<Record<string, DescribedError>>;

export type ErrorName = keyof typeof ERRORS;

/** The entry of this name, as every entry can be read. */
export function errorResponse(name: ErrorName): ErrorResponse {
  return ERRORS[name];
}

/** An error that exists in HTTP only, for the error handler: `next(httpError('notFound'))`. */
export function httpError(name: ErrorName): HttpError {
  const { status, message } = ERRORS[name];
  return createError(status, message, { errorName: name });
}

import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import {
  AlreadyRegisteredError,
  IdempotencyKeyReusedError,
  IdempotentRequestInProgressError,
  RegistrationInProgressError,
  UnavailableError,
  UserNotFoundError,
  ValidationError,
} from '../../domain/errors';
import type { Logger } from '../../services/ports';
import { sendJson } from '../send-json';
import * as http from './http-errors';
import { MALFORMED_BODY } from './json-body';
import { requestIdOf } from './request-id';

interface Answer {
  readonly status: number;
  readonly error: string;
  readonly retryAfterSeconds?: number;
}

/** Every error the API answers with. What is not listed is a bug: 500. */
const ANSWERS = new Map<unknown, Answer>([
  [AlreadyRegisteredError, { status: 409, error: 'User already registered' }],
  [
    RegistrationInProgressError,
    { status: 409, error: 'Registration already in progress', retryAfterSeconds: 1 },
  ],
  [IdempotencyKeyReusedError, { status: 422, error: 'Idempotency-Key was used with another body' }],
  [
    IdempotentRequestInProgressError,
    { status: 409, error: 'A request with this Idempotency-Key is in progress', retryAfterSeconds: 1 },
  ],
  [
    UnavailableError,
    { status: 503, error: 'Service temporarily unavailable, please retry', retryAfterSeconds: 2 },
  ],
  [UserNotFoundError, { status: 404, error: 'User not found' }],
  [http.UnauthorizedError, { status: 401, error: 'A valid API key is required' }],
  [http.NotFoundError, { status: 404, error: 'Not found' }],
  [http.MethodNotAllowedError, { status: 405, error: 'Method not allowed' }],
  [http.UnsupportedMediaTypeError, { status: 415, error: 'Content-Type must be application/json' }],
  [http.MalformedBodyError, { status: 400, error: MALFORMED_BODY }],
  [http.AmbiguousRequestError, { status: 400, error: 'Request is not valid HTTP' }],
  [http.TooManyHeadersError, { status: 431, error: 'Request headers are too large' }],
  [http.TooManyRequestsError, { status: 429, error: 'Too many requests, please try again later' }],
]);

/** Client errors found by the body parser and the router; their own messages quote the request. */
const CLIENT_ERRORS: Readonly<Record<number, string>> = {
  400: 'Bad request',
  413: 'Request body is too large (limit 16 kB)',
  415: 'Unsupported content encoding or charset',
};

const INTERNAL: Answer = { status: 500, error: 'Internal server error' };

/** Turns errors into `{"success":false,"error":…}`. */
export function createErrorHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, _req, res: Response, next) => {
    const answer = answerTo(error);
    if (answer === INTERNAL) log.error('request failed', { requestId: requestIdOf(res), error });
    // Too late for another answer: Express cuts the connection.
    if (res.headersSent) {
      next(error);
      return;
    }
    if (answer.retryAfterSeconds !== undefined) res.setHeader('Retry-After', answer.retryAfterSeconds);
    sendJson(res, answer.status, { success: false, error: answer.error });
  };
}

/** For paths no route knows. */
export const notFound: RequestHandler = (_req, _res, next) => next(new http.NotFoundError());

/** For known paths and other methods; OPTIONS from origins that are not listed ends here too. */
export function allowOnly(...methods: string[]): RequestHandler {
  return (req, res, next) => {
    res.setHeader('Allow', [...methods, 'OPTIONS'].join(', '));
    if (req.method === 'OPTIONS') res.status(204).end();
    else next(new http.MethodNotAllowedError());
  };
}

function answerTo(error: unknown): Answer {
  if (!(error instanceof Error)) return INTERNAL;
  if (error instanceof ValidationError) return { status: 400, error: error.message };
  return ANSWERS.get(error.constructor) ?? clientError(error) ?? INTERNAL;
}

function clientError(error: Error & { status?: unknown; type?: unknown }): Answer | undefined {
  const { status, type } = error;
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  if (type === 'entity.parse.failed') return ANSWERS.get(http.MalformedBodyError);
  if (error instanceof URIError) return { status, error: 'Malformed percent-encoding in the path' };
  return { status, error: CLIENT_ERRORS[status] ?? 'Bad request' };
}

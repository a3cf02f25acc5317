import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import {
  AlreadyRegisteredError,
  IdempotencyKeyReusedError,
  IdempotentRequestInProgressError,
  RecentlyRegisteredError,
  RegistrationInProgressError,
  UnavailableError,
  UserNotFoundError,
  ValidationError,
} from '../../domain/errors';
import type { Logger } from '../../services/ports/telemetry';
import { errorContent } from '../problem-json';
import { errorResponse, httpError, type ErrorName, type ErrorResponse } from '../error-catalogue';
import { sendJson } from '../send-json';
import { requestIdOf } from './request-id';

const DOMAIN_ERRORS = new Map<unknown, ErrorName>([
  [AlreadyRegisteredError, 'alreadyRegistered'],
  [RegistrationInProgressError, 'registrationInProgress'],
  [RecentlyRegisteredError, 'recentlyRegistered'],
  [IdempotencyKeyReusedError, 'idempotencyKeyReused'],
  [IdempotentRequestInProgressError, 'requestInProgress'],
  [UnavailableError, 'unavailable'],
  [UserNotFoundError, 'userNotFound'],
]);

// Of body-parser and the router. Their own messages quote the request.
const CLIENT_ERRORS = new Map<unknown, ErrorName>([
  [400, 'unreadableBody'],
  [413, 'bodyTooLarge'],
  [415, 'unsupportedEncoding'],
]);

/** Turns errors into responses of the catalogue; one that is not in it is a bug: 500, and a line in the log. */
export function createErrorHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, req, res: Response, next) => {
    const response = toErrorResponse(error);
    if (response.status === 500) log.error('request failed', { requestId: requestIdOf(res), error });
    // Too late for another response: Express closes the connection.
    if (res.headersSent) {
      next(error);
      return;
    }
    if (response.retryAfterSeconds !== undefined) res.setHeader('Retry-After', response.retryAfterSeconds);
    res.vary('Accept');
    const { contentType, body } = errorContent(response, req.headers.accept);
    sendJson(res, response.status, body, contentType);
  };
}

/** For paths that no route has. */
export const notFound: RequestHandler = (_req, _res, next) => next(httpError('notFound'));

/** For other methods of a path; OPTIONS from origins that are not listed ends here, too. */
export function allowOnly(...methods: string[]): RequestHandler {
  return (req, res, next) => {
    res.setHeader('Allow', [...methods, 'OPTIONS'].join(', '));
    if (req.method === 'OPTIONS') res.status(204).end();
    else next(httpError('methodNotAllowed'));
  };
}

function toErrorResponse(error: unknown): ErrorResponse {
  if (!(error instanceof Error)) return errorResponse('internal');
  if (error instanceof ValidationError)
    return { ...errorResponse('validationFailed'), message: error.message, brokenRules: error.brokenRules };
  return errorResponse(DOMAIN_ERRORS.get(error.constructor) ?? httpErrorName(error) ?? 'internal');
}

function httpErrorName(
  error: Error & { errorName?: ErrorName; status?: unknown; type?: unknown },
): ErrorName | undefined {
  if (error.errorName !== undefined) return error.errorName;
  if (error.type === 'entity.parse.failed') return 'malformedBody';
  if (error instanceof URIError) return 'malformedPath';
  return CLIENT_ERRORS.get(error.status);
}

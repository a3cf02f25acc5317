import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { httpError, type ErrorName } from '../error-catalogue';

/** Header fields of one request; more are rejected. */
export const MAX_HEADERS = 100;

/**
 * Rejects requests that Node accepts but that something in front of the service may read in another way, and closes
 * their connection: no Host or several (RFC 9112, 3.2), a transfer encoding other than chunked, a chunked body in
 * HTTP/1.0 (6.1), another version than 1.0 or 1.1. Rejects more headers than MAX_HEADERS, too.
 */
export const rejectAmbiguousRequests: RequestHandler = (req, res, next) => {
  const error = framingError(req);
  // What follows on the connection may be part of what was meant as one request.
  if (error !== undefined) res.setHeader('Connection', 'close');
  next(error && httpError(error));
};

function framingError(req: IncomingMessage): ErrorName | undefined {
  const { rawHeaders, httpVersion, headers } = req;
  if (rawHeaders.length > 2 * MAX_HEADERS) return 'headersTooLarge';
  const encoding = headers['transfer-encoding']?.toLowerCase();
  const isSound =
    (httpVersion === '1.1' && countHosts(rawHeaders) === 1 && [undefined, 'chunked'].includes(encoding)) ||
    (httpVersion === '1.0' && countHosts(rawHeaders) <= 1 && encoding === undefined);
  return isSound ? undefined : 'malformedRequest';
}

// Node keeps only the first of several.
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

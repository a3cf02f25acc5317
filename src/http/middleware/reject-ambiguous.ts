import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { AmbiguousRequestError, TooManyHeadersError } from './http-errors';

/** Header fields of one request; more are refused. */
export const MAX_HEADERS = 100;

/**
 * Refuses requests that Node takes but that something in front of the service may read in another way, and closes
 * their connection: no Host or several (RFC 9112, 3.2), an encoding of the body that nobody undoes, a chunked body in
 * HTTP/1.0 (6.1), another version than 1.0 or 1.1. Refuses more headers than MAX_HEADERS, too.
 */
export const refuseAmbiguous: RequestHandler = (req, res, next) => {
  const error = problemOf(req);
  // What follows on the connection may be part of what was meant as one request.
  if (error) res.setHeader('Connection', 'close');
  next(error);
};

function problemOf(req: IncomingMessage): Error | undefined {
  const { rawHeaders, httpVersion, headers } = req;
  if (rawHeaders.length > 2 * MAX_HEADERS) return new TooManyHeadersError();
  const encoding = headers['transfer-encoding']?.toLowerCase();
  const isSound =
    (httpVersion === '1.1' && hostsOf(rawHeaders) === 1 && [undefined, 'chunked'].includes(encoding)) ||
    (httpVersion === '1.0' && hostsOf(rawHeaders) <= 1 && encoding === undefined);
  return isSound ? undefined : new AmbiguousRequestError();
}

// Node keeps the first of several only.
function hostsOf(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

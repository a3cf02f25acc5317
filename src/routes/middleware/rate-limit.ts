import type { RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { TooManyRequestsError } from './http-errors';

/** `max` requests per `windowMs` and client address (IPv6: per /56), counted in this process. */
export function createRateLimit(options: {
  readonly max: number;
  readonly windowMs: number;
}): RequestHandler {
  return rateLimit({
    limit: options.max,
    windowMs: options.windowMs,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    skip: (req) => req.method === 'OPTIONS',
    // Sets Retry-After itself; the body is the error handler's.
    handler: (_req, _res, next) => next(new TooManyRequestsError()),
    // Its warnings are about X-Forwarded-For, which TRUST_PROXY settles.
    validate: false,
  });
}

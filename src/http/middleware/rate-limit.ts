import { isIPv4 } from 'node:net';
import type { RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit, type Store } from 'express-rate-limit';
import { TooManyRequestsError } from './http-errors';
import { RequestCounts } from './request-counts';

const IPV6_SUBNET = 56;
const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i;

/**
 * `max` requests per `windowMs` and client address (IPv6: per /56), counted in `sharedCounts`, or in this process while
 * those are away.
 */
export function createRateLimit(options: {
  readonly max: number;
  readonly windowMs: number;
  readonly sharedCounts: Store;
}): RequestHandler {
  return rateLimit({
    limit: options.max,
    windowMs: options.windowMs,
    store: new RequestCounts(options.sharedCounts),
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    keyGenerator: ({ ip = '' }) => clientOf(ip),
    skip: (req) => req.method === 'OPTIONS',
    // Sets Retry-After itself; the body is the error handler's.
    handler: (_req, _res, next) => next(new TooManyRequestsError()),
    // Its warnings are about X-Forwarded-For, which TRUST_PROXY settles.
    validate: false,
  });
}

/**
 * Whom an address counts as: itself, or its network (IPv6). The package parses every address in full, which is a part of
 * a request's cost that can be felt; IPv4 needs no parsing.
 */
export function clientOf(ip: string): string {
  const address = ip.replace(MAPPED_IPV4, '');
  return isIPv4(address) ? address : ipKeyGenerator(address, IPV6_SUBNET);
}

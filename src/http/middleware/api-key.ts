import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import type { ApiKey } from '../../config/config';
import { UnauthorizedError } from './http-errors';

/**
 * Lets only holders of one of `apiKeys` pass (`Authorization: Bearer <key>`), everyone when there is none. Else 401.
 * Digests are compared, each in constant time: how long an answer takes says nothing about a key.
 */
export function requireApiKey(apiKeys: readonly ApiKey[]): RequestHandler {
  if (apiKeys.length === 0) return (_req, _res, next) => next();
  return (req, res, next) => {
    const given = /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
    const key = given === undefined ? undefined : findKey(apiKeys, given);
    if (key === undefined) {
      // RFC 6750: the error only when a key was given.
      res.setHeader('WWW-Authenticate', `Bearer realm="users"${given ? ', error="invalid_token"' : ''}`);
      next(new UnauthorizedError());
      return;
    }
    res.locals['apiKeyName'] = key.name;
    next();
  };
}

/** The name of the key that the request came with, for its log line. */
export function apiKeyNameOf(res: Response): string | undefined {
  return res.locals['apiKeyName'] as string | undefined;
}

function findKey(apiKeys: readonly ApiKey[], given: string): ApiKey | undefined {
  const digest = createHash('sha256').update(given).digest();
  // All of them, also behind a match.
  return apiKeys.filter((key) => timingSafeEqual(key.digest, digest))[0];
}

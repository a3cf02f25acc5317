import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import type { ApiKey } from '../../config/config';
import { httpError } from '../error-catalogue';

/**
 * Admits only holders of one of `apiKeys` (`Authorization: Bearer <key>`), else 401; everyone when there are no keys.
 * Holders of one of `otherKeys` are known, but may not: 403. Digests are compared in constant time: how long a response
 * takes says nothing about a key.
 */
export function requireApiKey(apiKeys: readonly ApiKey[], otherKeys: readonly ApiKey[] = []): RequestHandler {
  if (apiKeys.length === 0) return (_req, _res, next) => next();
  const known = [...apiKeys, ...otherKeys];
  return (req, res, next) => {
    const given = /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
    const digest = createHash('sha256')
      .update(given ?? '')
      .digest();
    // All of them, even after a match.
    const [key] = known.filter((each) => given !== undefined && timingSafeEqual(each.digest, digest));
    if (key === undefined) {
      // RFC 6750: the error only when a key was given.
      res.setHeader('WWW-Authenticate', `Bearer realm="users"${given ? ', error="invalid_token"' : ''}`);
      next(httpError('apiKeyRequired'));
      return;
    }
    res.locals['apiKeyName'] = key.name;
    if (apiKeys.includes(key)) next();
    else next(httpError('forbidden'));
  };
}

/** The name of the key that the request came with, for its log line. */
export function apiKeyNameOf(res: Response): string | undefined {
  return res.locals['apiKeyName'] as string | undefined;
}

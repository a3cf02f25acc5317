import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

const VALID_REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Gives the request an id: the caller's `X-Request-Id` when valid, else a new one. The response carries it. */
export const assignRequestId: RequestHandler = (req, res, next) => {
  const id = resolveRequestId(req.headers['x-request-id']);
  res.locals['requestId'] = id;
  res.setHeader('X-Request-Id', id);
  next();
};

/** The given one when valid, else a new one. */
export function resolveRequestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && VALID_REQUEST_ID.test(given) ? given : randomUUID();
}

/** The id that assignRequestId gave. */
export function requestIdOf(res: Response): string {
  return String(res.locals['requestId']);
}

import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

const SANE = /^[\w.:-]{1,128}$/;

/** Names the request: the caller's `X-Request-Id` when sane, else a new one; the answer carries it. */
export const assignRequestId: RequestHandler = (req, res, next) => {
  const id = chooseRequestId(req.headers['x-request-id']);
  res.locals['requestId'] = id;
  res.setHeader('X-Request-Id', id);
  next();
};

/** The given one when sane, else a new one. */
export function chooseRequestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID();
}

/** The id that assignRequestId gave. */
export function requestIdOf(res: Response): string {
  return String(res.locals['requestId']);
}

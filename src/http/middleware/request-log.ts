import type { Request, RequestHandler } from 'express';
import type { Logger } from '../../services/ports';
import { apiKeyNameOf } from './api-key';
import { requestIdOf } from './request-id';

/** Takes in one answered request: the route's pattern, how it ended, and how long it took. */
export type MeasureRequest = (
  method: string,
  route: string,
  status: number | 'aborted',
  seconds: number,
) => void;

/** One line per request, and one measurement, when its answer is out or cut off: the route's pattern, never the path (it may hold an e-mail). */
export function createRequestLog(log: Logger, measure: MeasureRequest): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    // A cut connection finishes what was to be written on it, too.
    let isOut = false;
    res.on('finish', () => (isOut = !req.socket.destroyed));
    res.on('close', () => {
      const route = routeOf(req);
      const apiKey = apiKeyNameOf(res);
      const durationMs = performance.now() - startedAt;
      measure(req.method, route, isOut ? res.statusCode : 'aborted', durationMs / 1000);
      const level = route.startsWith('/api/health') ? 'debug' : 'info';
      log[level]('request', {
        method: req.method,
        route,
        status: res.statusCode,
        durationMs: Math.round(durationMs * 10) / 10,
        requestId: requestIdOf(res),
        ...(apiKey !== undefined && { apiKey }),
        ...(!isOut && { aborted: true }),
      });
    });
    next();
  };
}

/** The route's pattern, or "unmatched". */
export function routeOf(req: Request): string {
  const route = req.route as { path: string } | undefined;
  return route?.path ?? 'unmatched';
}

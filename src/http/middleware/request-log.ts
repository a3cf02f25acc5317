import type { Request, RequestHandler, Response } from 'express';
import type { Logger } from '../../services/ports/telemetry';
import { apiKeyNameOf } from './api-key';
import { requestIdOf } from './request-id';

/** Records one request: the route's pattern, how it ended, and how long it took. */
export type RecordRequest = (
  method: string,
  route: string,
  status: number | 'aborted',
  seconds: number,
) => void;

// Too many for the log: probes come every few seconds, and shedding has to cost far less than the work.
const DEBUG_ROUTES = /^(\/api\/health|shed$)/;

/**
 * One log line and one measurement per request, when its response is sent or cut off: with the route's pattern, never the
 * path, which may hold an email.
 */
export function createRequestLog(log: Logger, record: RecordRequest): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    let isSent = false;
    // A connection that is cut off finishes what was to be written on it, too.
    res.on('finish', () => (isSent = !req.socket.destroyed));
    res.on('close', () => {
      const route = routeOf(req, res);
      const apiKey = apiKeyNameOf(res);
      const durationMs = performance.now() - startedAt;
      record(req.method, route, isSent ? res.statusCode : 'aborted', durationMs / 1000);
      log[DEBUG_ROUTES.test(route) ? 'debug' : 'info']('request', {
        method: req.method,
        route,
        status: res.statusCode,
        durationMs: Math.round(durationMs * 10) / 10,
        requestId: requestIdOf(res),
        ...(apiKey !== undefined && { apiKey }),
        ...(!isSent && { aborted: true }),
      });
    });
    next();
  };
}

/** Names the route of a request that reaches none. */
export function setRoute(res: Response, route: string): void {
  res.locals['route'] = route;
}

/** The route's pattern, or "unmatched". */
export function routeOf(req: Request, res: Response): string {
  const route = req.route as { path: string } | undefined;
  return (res.locals['route'] as string | undefined) ?? route?.path ?? 'unmatched';
}

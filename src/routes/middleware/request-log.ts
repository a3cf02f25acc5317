import type { Request, RequestHandler } from 'express';
import type { Logger } from '../../services/ports';
import { apiKeyNameOf } from './api-key';
import { requestIdOf } from './request-id';

/** One line per request when its answer is out or cut off: the route's pattern, never the path (it may hold an e-mail). */
export function createRequestLog(log: Logger): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    res.once('close', () => {
      const route = routeOf(req);
      const apiKey = apiKeyNameOf(res);
      const level = route.startsWith('/api/health') ? 'debug' : 'info';
      log[level]('request', {
        method: req.method,
        route,
        status: res.statusCode,
        durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
        requestId: requestIdOf(res),
        ...(apiKey !== undefined && { apiKey }),
        ...(!res.writableFinished && { aborted: true }),
      });
    });
    next();
  };
}

function routeOf(req: Request): string {
  const route = req.route as { path: string } | undefined;
  return route?.path ?? 'unmatched';
}

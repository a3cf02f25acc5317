import type { Request, RequestHandler, Response } from 'express';
import type { Logger, RecordRequest, Tracing } from '../../services/ports/telemetry';
import { apiKeyNameOf } from './api-key';
import { requestIdOf } from './request-id';

const SHED = 'shed';

/**
 * One log line and one measurement per request, when its response is sent or cut off: with the route's pattern, never the
 * path, which may hold an email. Shed requests have no line, for which there is no time: LoadShedder logs how many.
 */
export function createRequestLog(log: Logger, record: RecordRequest): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    let isSent = false;
    // A connection that is cut off finishes what was to be written on it, too.
    res.on('finish', () => (isSent = !req.socket.destroyed));
    res.on('close', () => {
      const { method } = req;
      const route = routeOf(req, res);
      const apiKey = apiKeyNameOf(res);
      const durationMs = performance.now() - startedAt;
      record(method, route, isSent ? res.statusCode : 'aborted', durationMs / 1000);
      if (route === SHED) return;
      log[route.startsWith('/api/health') ? 'debug' : 'info']('request', {
        method,
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

/** One span per request, a part of the caller's trace when it sent a `traceparent`. */
export function createRequestTrace(tracing: Pick<Tracing, 'request'>): RequestHandler {
  return (req, res, next) => {
    const span = tracing.request(req.get('traceparent'));
    res.once('close', () => {
      const status = res.writableFinished ? res.statusCode : 'aborted';
      span.end({ method: req.method, route: routeOf(req, res), status, requestId: requestIdOf(res) });
    });
    span.run(next);
  };
}

/** Marks a request that is shed before it reaches a route. */
export function markAsShed(res: Response): void {
  res.locals['route'] = SHED;
}

// The route's pattern, "shed", or "unmatched".
function routeOf(req: Request, res: Response): string {
  const route = req.route as { path: string } | undefined;
  return (res.locals['route'] as string | undefined) ?? route?.path ?? 'unmatched';
}

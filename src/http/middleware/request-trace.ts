import type { RequestHandler } from 'express';
import type { Tracing } from '../../services/ports/telemetry';
import { requestIdOf } from './request-id';
import { routeOf } from './request-log';

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

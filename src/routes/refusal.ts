import { IncomingMessage, ServerResponse, type RequestListener } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import { createConstantHeaders } from './middleware/constant-headers';
import { createCors } from './middleware/cors';
import { chooseRequestId } from './middleware/request-id';
import type { MeasureRequest } from './middleware/request-log';

const RETRY_AFTER_SECONDS = 2;
const BODY = JSON.stringify({ success: false, error: 'Service temporarily unavailable, please retry' });
/** What stands in the metric for a route that was not looked for. */
const ROUTE = 'refused';

/**
 * Answers 503 with what every answer carries, past Express and without a line in the log: refusing has to be many times
 * cheaper than the work, or it would leave no time for any.
 */
export function createRefusal(allowedOrigins: readonly string[], measure: MeasureRequest): RequestListener {
  const own = ['Content-Length', String(Buffer.byteLength(BODY)), 'Retry-After', String(RETRY_AFTER_SECONDS)];
  const all = (origin?: string): string[] => [...headersFor(origin, allowedOrigins), ...own];
  const forOthers = all();
  const byOrigin = new Map(allowedOrigins.map((origin) => [origin, all(origin)]));
  return (req, res) => {
    const { origin, 'x-request-id': given } = req.headers;
    const headers = byOrigin.get(origin ?? '') ?? forOthers;
    res.writeHead(503, [...headers, 'X-Request-Id', chooseRequestId(given)]);
    res.end(BODY);
    measure(req.method ?? '', ROUTE, 503, 0);
  };
}

/** The headers that the middleware gives a JSON answer to this origin, name by value: asked for once. */
export function headersFor(origin: string | undefined, allowedOrigins: readonly string[]): string[] {
  const request = new IncomingMessage(new Socket());
  request.method = 'POST';
  if (origin !== undefined) request.headers.origin = origin;
  const response = new ServerResponse(request);
  const run = (handler: RequestHandler): unknown =>
    handler(
      request as Parameters<RequestHandler>[0],
      response as Parameters<RequestHandler>[1],
      () => undefined,
    );
  [createConstantHeaders(), ...createCors(allowedOrigins)].forEach(run);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  return Object.entries(response.getHeaders()).flatMap(([name, value]) => [name, String(value)]);
}

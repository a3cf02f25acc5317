import cors from 'cors';
import type { RequestHandler } from 'express';

const PREFLIGHT_CACHE_SECONDS = 600;
// Tracing in the browser adds them by itself; it never sends a request with a header that is not allowed.
const TRACING_HEADERS = ['traceparent', 'tracestate', 'baggage', 'sentry-trace'];
const EXPOSED_HEADERS =
  'Location,Link,X-Total-Count,Retry-After,RateLimit,RateLimit-Policy,Idempotency-Replayed,X-Request-Id';

/** Allows the listed origins; others get neither a CORS header nor an error. */
export function createCors(allowedOrigins: readonly string[]): RequestHandler[] {
  const forListed = cors({
    origin: (origin, allow) => allow(null, origin !== undefined && allowedOrigins.includes(origin)),
    methods: ['GET', 'HEAD', 'POST'],
    allowedHeaders: ['Content-Type', 'Authorization', 'Idempotency-Key', 'X-Request-Id', ...TRACING_HEADERS],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_CACHE_SECONDS,
  });
  // The package varies only responses that allow an origin; a cache must tell all of them apart.
  const vary: RequestHandler = (_req, res, next) => {
    res.setHeader('Vary', 'Origin');
    next();
  };
  return [vary, forListed];
}

import express, { Router, type Express, type RequestHandler } from 'express';
import type { Store } from 'express-rate-limit';
import type { Config } from '../config/config';
import type { LoadShedder } from '../http/load-shedder';
import { createCors } from '../http/middleware/cors';
import { createErrorHandler, notFound } from '../http/middleware/error-handler';
import { createRateLimit } from '../http/middleware/rate-limit';
import { rejectAmbiguousRequests } from '../http/middleware/reject-ambiguous';
import { assignRequestId } from '../http/middleware/request-id';
import { createRequestLog, createRequestTrace } from '../http/middleware/request-log';
import { createSecurityHeaders } from '../http/middleware/security-headers';
import { createShedLoad } from '../http/middleware/shed-load';
import type { HealthService } from '../services/health-service';
import type { Logger, RecordRequest, Tracing } from '../services/ports/telemetry';
import { createDocsRouter } from './docs';
import { createHealthRouter } from './health';
import { createUsersRouter, type UsersRouterDeps } from './users';

export interface AppDeps extends Omit<UsersRouterDeps, 'apiKeys' | 'adminApiKeys'> {
  readonly config: Config['http'];
  readonly health: HealthService;
  /** Counts the requests of each client for all replicas. */
  readonly rateLimitStore: Store;
  readonly recordRequest: RecordRequest;
  readonly shedder: LoadShedder;
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
}

/** The whole HTTP side: what happens to a request, in this order. */
export function createApp(deps: AppDeps): Express {
  const { config, tracing, log } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', config.trustedProxyHops);

  app.use(assignRequestId);
  app.use(createRequestLog(log, deps.recordRequest));
  app.use(createSecurityHeaders());
  app.use(createCors(config.allowedOrigins));
  app.use(rejectAmbiguousRequests);
  app.use(createShedLoad(deps.shedder));
  // Routers name whole paths, so that the request log shows them, also for errors.
  app.use(unlessForUsers(createHealthRouter(deps.health), createDocsRouter()));
  if (tracing) app.use(createRequestTrace(tracing)); // After the probes, which would only be noise.
  app.use('/api', createRateLimit(config.rateLimit, deps.rateLimitStore));
  const { apiKeys, adminApiKeys } = config;
  app.use(createUsersRouter({ ...deps, apiKeys, adminApiKeys }));
  app.use(notFound);
  app.use(createErrorHandler(log));
  return app;
}

// Nearly all requests are for users: they are spared the comparison with the other routes' paths.
function unlessForUsers(...routers: readonly RequestHandler[]): RequestHandler {
  const all = Router();
  all.use(...routers);
  return (req, res, next) => (req.url.startsWith('/api/users') ? next() : all(req, res, next));
}

import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { Config } from '../config/config';
import type { HealthService } from '../services/health-service';
import type { Logger } from '../services/ports';
import { createHealthRouter } from './health';
import { createCors } from './middleware/cors';
import { createErrorHandler, notFound } from './middleware/error-handler';
import { createRateLimit } from './middleware/rate-limit';
import { assignRequestId } from './middleware/request-id';
import { createRequestLog, type MeasureRequest } from './middleware/request-log';
import { createUsersRouter, type UsersRouterDeps } from './users';

export interface AppDeps extends Omit<UsersRouterDeps, 'apiKeys'> {
  readonly config: Config['http'];
  readonly health: HealthService;
  readonly measureRequest: MeasureRequest;
  readonly log: Logger;
}

// The answers hold personal data or the state of the moment.
const noStore: RequestHandler = (_req, res, next) => {
  res.setHeader('Cache-Control', 'no-store');
  next();
};

/** The whole HTTP side: what happens to a request, in this order. */
export function createApp({ config, health, measureRequest, log, ...users }: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', config.trustedProxyHops);

  app.use(assignRequestId);
  app.use(createRequestLog(log, measureRequest));
  app.use(helmet());
  app.use(createCors(config.allowedOrigins));
  app.use(noStore);
  // Routers name whole paths: the request log shows them, also when the answer is an error.
  app.use(createHealthRouter(health));
  app.use('/api', createRateLimit(config.rateLimit));
  app.use(createUsersRouter({ ...users, apiKeys: config.apiKeys }));
  app.use(notFound);
  app.use(createErrorHandler(log));
  return app;
}

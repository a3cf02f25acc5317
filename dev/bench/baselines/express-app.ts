import cors from 'cors';
import express, { type Express } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { config, list, log } from './common';

/** Express with the middleware that the service has too. */
export function createExpressApp(): Express {
  const app = express();
  app.use((req, res, next) => {
    const startedAt = performance.now();
    res.once('finish', () =>
      log.info('request', {
        method: req.method,
        route: req.path,
        status: res.statusCode,
        durationMs: performance.now() - startedAt,
      }),
    );
    next();
  });
  app.use(helmet());
  app.use(cors({ origin: [...config.http.allowedOrigins] }));
  app.use(rateLimit({ limit: config.http.rateLimit.max, windowMs: config.http.rateLimit.windowMs }));
  app.use(express.json({ limit: '16kb' }));
  app.get('/api/health/ready', (_req, res) => {
    res.json({ status: 'ready' });
  });
  app.get('/api/users', async (req, res) => {
    const data = await list(Number(req.query['limit'] ?? 100));
    res.json({ success: true, count: data.length, data });
  });
  return app;
}

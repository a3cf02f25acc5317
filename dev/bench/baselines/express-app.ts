import { randomUUID } from 'node:crypto';
import cors from 'cors';
import express, { type Express } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { config, list, log } from './common';

/** Express with the service's middleware and response headers, plainly built. */
export function createExpressApp(): Express {
  const app = express();
  app.disable('etag');
  app.disable('x-powered-by');
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
  app.use((req, res, next) => {
    res.set({ 'X-Request-Id': req.get('X-Request-Id') ?? randomUUID(), 'Cache-Control': 'no-store' });
    next();
  });
  app.use(helmet());
  app.use(cors({ origin: [...config.http.allowedOrigins] }));
  const { max: limit, windowMs } = config.http.rateLimit;
  app.use(rateLimit({ limit, windowMs, standardHeaders: 'draft-7', legacyHeaders: false }));
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

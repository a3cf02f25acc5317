import { Router } from 'express';
import { allowOnly } from '../http/middleware/error-handler';
import { sendJson } from '../http/send-json';
import type { HealthService } from '../services/health-service';

/** /api/health, from memory. */
export function createHealthRouter(health: Pick<HealthService, 'report' | 'isAlive' | 'isReady'>): Router {
  const router = Router();
  const probe = (path: string, read: () => readonly [isGood: boolean, body: object]) =>
    router
      .route(path)
      .get((_req, res) => {
        const [isGood, body] = read();
        sendJson(res, isGood ? 200 : 503, body);
      })
      .all(allowOnly('GET', 'HEAD'));
  const status = (isGood: boolean, yes: string) => [isGood, { status: isGood ? yes : `not ${yes}` }] as const;

  probe('/api/health', () => {
    const body = health.report();
    return [body.message === 'OK', body];
  });
  probe('/api/health/live', () => status(health.isAlive(), 'alive'));
  probe('/api/health/ready', () => status(health.isReady(), 'ready'));
  return router;
}

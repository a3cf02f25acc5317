import { Router } from 'express';
import { allowOnly } from '../http/middleware/error-handler';
import { sendJson } from '../http/send-json';
import type { HealthService } from '../services/health-service';

/** /api/health, from memory. */
export function createHealthRouter(health: Pick<HealthService, 'report' | 'isAlive' | 'isReady'>): Router {
  const router = Router();
  const probe = (path: string, read: () => { isGood: boolean; body: object }) =>
    router
      .route(path)
      .get((_req, res) => {
        const { isGood, body } = read();
        sendJson(res, isGood ? 200 : 503, body);
      })
      .all(allowOnly('GET', 'HEAD'));

  probe('/api/health', () => {
    const body = health.report();
    return { isGood: body.message === 'OK', body };
  });
  probe('/api/health/live', () => {
    const isGood = health.isAlive();
    return { isGood, body: { status: isGood ? 'alive' : 'not alive' } };
  });
  probe('/api/health/ready', () => {
    const isGood = health.isReady();
    return { isGood, body: { status: isGood ? 'ready' : 'not ready' } };
  });
  return router;
}

import { Router } from 'express';
import type { HealthService } from '../services/health-service';
import { allowOnly } from '../http/middleware/error-handler';
import { sendJson } from '../http/send-json';

/** /api/health, from memory. */
export function createHealthRouter(health: Pick<HealthService, 'report' | 'isAlive' | 'isReady'>): Router {
  const router = Router();

  router
    .route('/api/health')
    .get((_req, res) => {
      const report = health.report();
      sendJson(res, report.message === 'OK' ? 200 : 503, report);
    })
    .all(allowOnly('GET', 'HEAD'));

  router
    .route('/api/health/live')
    .get((_req, res) => {
      const isAlive = health.isAlive();
      sendJson(res, isAlive ? 200 : 503, { status: isAlive ? 'alive' : 'not alive' });
    })
    .all(allowOnly('GET', 'HEAD'));

  router
    .route('/api/health/ready')
    .get((_req, res) => {
      const isReady = health.isReady();
      sendJson(res, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready' });
    })
    .all(allowOnly('GET', 'HEAD'));

  return router;
}

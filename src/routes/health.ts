import { Router } from 'express';
import type { HealthService } from '../services/health-service';
import { allowOnly } from './middleware/error-handler';

/** /api/health: answered from memory. */
export function createHealthRouter(health: Pick<HealthService, 'report' | 'isAlive' | 'isReady'>): Router {
  const router = Router();

  router
    .route('/api/health')
    .get((_req, res) => {
      const report = health.report();
      res.status(report.message === 'OK' ? 200 : 503).json(report);
    })
    .all(allowOnly('GET', 'HEAD'));

  router
    .route('/api/health/live')
    .get((_req, res) => {
      const isAlive = health.isAlive();
      res.status(isAlive ? 200 : 503).json({ status: isAlive ? 'alive' : 'not alive' });
    })
    .all(allowOnly('GET', 'HEAD'));

  router
    .route('/api/health/ready')
    .get((_req, res) => {
      const isReady = health.isReady();
      res.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready' });
    })
    .all(allowOnly('GET', 'HEAD'));

  return router;
}

import express from 'express';
import request from 'supertest';
import { createHealthRouter } from '../../src/routes/health';
import { Manifests } from './manifests';

const app = express().use(
  createHealthRouter({
    report: () => ({ uptime: 0, message: 'Degraded', timestamp: 0, services: {} }) as never,
    isAlive: () => true,
    isReady: () => true,
  }),
);

describe.each(['dev', 'staging', 'prod'])('in %s', (environment) => {
  const manifests = Manifests.read(environment);
  const { startupProbe, livenessProbe, readinessProbe } = manifests.container;
  const checked = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet.path ?? '');
  const byLoadBalancer =
    manifests.one('Ingress').metadata.annotations?.['alb.ingress.kubernetes.io/healthcheck-path'] ?? '';

  it.each([...new Set([...checked, byLoadBalancer])])(
    'the service answers 200 at %s while it runs, whatever its dependencies do',
    async (path) => {
      const { status } = await request(app).get(path);

      expect(status).toBe(200);
    },
  );
});

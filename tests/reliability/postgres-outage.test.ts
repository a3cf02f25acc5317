import { createHash } from 'node:crypto';
import { eventually } from '../support/eventually';
import type { TestService } from '../support/harness';
import { deadLettersIn } from '../support/kafka-tools';
import { useOwnServer } from '../support/outage';
import { postJson } from '../support/raw-http';
import { runEntryPoint } from '../support/service-process';
import { sql } from '../support/test-servers';
import { countByStatus, expectStored, register, startTraffic } from '../support/traffic';

const ADMIN = { Authorization: 'Bearer secret' };
const postgres = useOwnServer('postgres', {
  variables: { ADMIN_API_KEYS: `dpo:${createHash('sha256').update('secret').digest('hex')}` },
  prepare: async (env) => expect(await runEntryPoint('src/migrate.ts', env)).toMatchObject({ code: 0 }),
});
let service: TestService;

beforeAll(() => ({ service } = postgres));

beforeEach(async () => {
  await sql(service.env, 'TRUNCATE users');
});

describe('PostgreSQL killed and restarted under load', () => {
  it('fails no POST, loses and doubles nothing', async () => {
    const traffic = startTraffic(service.url, 50);
    await postgres.server.kill();
    await postgres.untilUnhealthy();
    const meanwhile = await register(service.url);

    await postgres.server.restart();
    await postgres.untilHealthy();
    const attempts = [...(await traffic.stop()), meanwhile];

    expect(Object.keys(countByStatus(attempts))).toEqual(['201']);
    await postgres.drained();
    await expectStored(service.env, attempts);
    expect(await deadLettersIn(service.env)).toEqual([]);
  });
});

describe('PostgreSQL unavailable', () => {
  it('is alive and ready; cached users are read, the rest is 503, a known email is 409, a pending one is 409', async () => {
    const stored = await register(service.url);
    const cachedPath = `/api/users/${stored.registration.email}`;
    await eventually(() => service.http.get(cachedPath).expect(200));
    await postgres.drained();
    await postgres.server.kill();
    await postgres.untilUnhealthy();

    const pending = await register(service.url);
    const answers = await Promise.all([
      service.http.get('/api/health/live'),
      service.http.get('/api/health/ready'),
      service.http.get(cachedPath),
      service.http.get(`/api/users/${pending.registration.email}`),
      service.http.get('/api/users'),
      postJson(`${service.url}/api/users`, stored.registration),
      postJson(`${service.url}/api/users`, pending.registration),
      postJson(`${service.url}/api/users`, { ...pending.registration, firstName: 'Mallory' }),
      service.http.get(`${cachedPath}/status`),
      service.http.get(`/api/users/${pending.registration.email}/status`),
      service.http.get('/api/users/unknown@example.com/status'),
      service.http.get('/api/users?limit=1&cursor=MSwx'),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([
      200, 200, 200, 503, 503, 409, 201, 409, 200, 200, 503, 503,
    ]);
    expect(answers[7]).toMatchObject({
      body: '{"success":false,"error":"Registration already in progress"}',
      headers: { 'retry-after': '1' },
    });
    await postgres.server.restart();
    await postgres.drained();
    await expectStored(service.env, [stored, pending]);
  });
});

describe('PostgreSQL frozen', () => {
  it('costs no POST its 201, and the rows follow', async () => {
    await postgres.server.freeze();
    const [attempts, reads] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => register(service.url))),
      // Asked before the background check knows; each ends by its own short deadline.
      Promise.all([
        service.http.get('/api/users'),
        service.http.get('/api/users/a@example.com'),
        service.http.delete('/api/users/a@example.com').set(ADMIN),
      ]),
    ]);
    await postgres.untilUnhealthy();
    attempts.push(await register(service.url));

    await postgres.server.thaw();
    expect(reads.map(({ status }) => status)).toEqual([503, 503, 503]);

    expect(countByStatus(attempts)).toEqual({ 201: 21 });
    await postgres.drained();
    await expectStored(service.env, attempts);
  });
});

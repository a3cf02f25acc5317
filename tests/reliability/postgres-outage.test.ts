import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { lag, readAll } from '../support/kafka-tools';
import { postJson } from '../support/raw-http';
import { runEntryPoint } from '../support/service-process';
import { sql } from '../support/test-servers';
import { countByStatus, expectStored, register, startTraffic } from '../support/traffic';

let stack: LocalStack;
let service: TestService;

beforeAll(async () => {
  stack = await startLocalStack({ services: ['postgres'], report: () => undefined });
  expect(await runEntryPoint('src/migrate.ts', stack.env)).toMatchObject({ code: 0 });
  service = await startService(stack.env);
});

afterAll(() => stack.kill());

beforeEach(async () => {
  await sql(service.env, 'TRUNCATE users');
});

const postgres = () => {
  const server = stack.servers.postgres;
  if (server === undefined) throw new Error('PostgreSQL was not started');
  return server;
};

const drained = () => eventually(async () => expect(await lag(service.env)).toBe(0));

const health = async (): Promise<unknown> => (await service.http.get('/api/health')).body;

describe('PostgreSQL killed and restarted under load', () => {
  it('fails no POST, loses and doubles nothing', async () => {
    const traffic = startTraffic(service.url, 50);
    await postgres().kill();
    await eventually(async () =>
      expect(await health()).toMatchObject({ services: { postgres: 'unhealthy' } }),
    );
    const meanwhile = await register(service.url);

    await postgres().restart();
    await eventually(async () => expect(await health()).toMatchObject({ message: 'OK' }));
    const attempts = [...(await traffic.stop()), meanwhile];

    expect(Object.keys(countByStatus(attempts))).toEqual(['201']);
    await drained();
    await expectStored(service.env, attempts);
    expect(await readAll(service.env, `${service.env['KAFKA_TOPIC'] ?? ''}.dlq`)).toEqual([]);
  });
});

describe('PostgreSQL away', () => {
  it('is alive and ready; cached users are read, the rest is 503, a known e-mail is 409, a pending one is 409', async () => {
    const stored = await register(service.url);
    const cachedPath = `/api/users/${stored.registration.email}`;
    await eventually(() => service.http.get(cachedPath).expect(200));
    await drained();
    await postgres().kill();
    await eventually(async () =>
      expect(await health()).toMatchObject({ services: { postgres: 'unhealthy' } }),
    );

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
      service.http.get('/api/users/nobody.knows@example.com/status'),
      service.http.get('/api/users?limit=1&cursor=MSwx'),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([
      200, 200, 200, 503, 503, 409, 201, 409, 200, 200, 503, 503,
    ]);
    expect(answers[7]).toMatchObject({
      body: '{"success":false,"error":"Registration already in progress"}',
      headers: { 'retry-after': '1' },
    });
    await postgres().restart();
    await drained();
    await expectStored(service.env, [stored, pending]);
  });
});

describe('PostgreSQL frozen', () => {
  it('costs no POST its 201, and the rows follow', async () => {
    await postgres().freeze();
    const [attempts, reads] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => register(service.url))),
      // Asked before the background check knows; each ends by its own short deadline.
      Promise.all([service.http.get('/api/users'), service.http.get('/api/users/a@example.com')]),
    ]);
    await eventually(async () =>
      expect(await health()).toMatchObject({ services: { postgres: 'unhealthy' } }),
    );
    attempts.push(await register(service.url));

    await postgres().thaw();
    expect(reads.map(({ status }) => status)).toEqual([503, 503]);

    expect(countByStatus(attempts)).toEqual({ 201: 21 });
    await drained();
    await expectStored(service.env, attempts);
  });
});

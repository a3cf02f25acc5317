import { WRITER_LOCK } from '../../src/postgres/insert-missing';
import { eventually } from '../support/eventually';
import { holdLock } from '../support/held-lock';
import type { TestService } from '../support/harness';
import { useOwnServer } from '../support/outage';
import { withRedis } from '../support/test-servers';
import { countByStatus, expectStored, register } from '../support/traffic';
import { expectTopicIsTable, userEventsIn, usersTable } from '../support/user-events';

const variables = { KAFKA_DELIVERY_TIMEOUT_MS: '500', KAFKA_EVENTS_TOPIC: 'user-events' };
const kafka = useOwnServer('kafka', { variables });
let service: TestService;

beforeAll(() => ({ service } = kafka));

describe('Kafka frozen', () => {
  it('answers 503 and keeps the reservation; after the thaw the queue delivers what came first', async () => {
    await kafka.server.freeze();

    const first = await register(service.url);
    const other = await register(service.url, { ...first.registration, firstName: 'Mallory' });
    const again = await register(service.url, first.registration);

    expect([first, other, again].map(({ answer }) => answer.status)).toEqual([503, 409, 503]);
    expect(first.answer.headers['retry-after']).toBe('2');
    expect(other.answer.body).toBe('{"success":false,"error":"Registration already in progress"}');
    const key = `user:pending:${first.registration.email}`;
    expect(await withRedis(service.env, (redis) => redis.exists(key))).toBe(1);
    await kafka.server.thaw();
    await eventually(() => service.http.get(`/api/users/${first.registration.email}`).expect(200));
    await kafka.drained();
    await expectStored(service.env, [{ ...first, answer: { ...first.answer, status: 201 } }]);
    await eventually(() => withRedis(service.env, async (redis) => expect(await redis.exists(key)).toBe(0)));
  });

  it('between a row and its event holds the offset, so that other programs are told after the thaw', async () => {
    const { env } = service;
    const before = await usersTable(env);
    const lock = await holdLock(env, `SELECT pg_advisory_lock(${WRITER_LOCK})`);
    const attempt = await register(service.url);
    await lock.untilSomeoneWaits();

    await kafka.server.freeze();
    await lock.release();
    await eventually(async () => expect(await usersTable(env)).toHaveLength(before.length + 1));
    await kafka.server.thaw();
    await kafka.drained();

    expect(attempt.answer.status).toBe(201);
    expect((await userEventsIn(env)).length).toBeGreaterThan(before.length);
    await expectTopicIsTable(env);
  });
});

describe('Kafka killed and restarted', () => {
  it('answers 503 meanwhile, stays alive and ready, and delivers everything afterwards', async () => {
    await kafka.server.kill();

    const attempts = await Promise.all(Array.from({ length: 20 }, () => register(service.url)));
    const probes = await Promise.all([
      service.http.get('/api/health/live'),
      service.http.get('/api/health/ready'),
      eventually(() => service.http.get('/api/health').expect(503)),
      service.http.get('/api/users'),
    ]);
    // kafkajs gives its consumer up for good here; what is answered below is written by another one.
    await eventually(() =>
      expect(service.log.lines).toContainEqual(
        expect.objectContaining({ level: 'warn', message: 'consumer stopped, restarting' }),
      ),
    );
    await kafka.server.restart();
    const retries = await Promise.all(
      attempts.map(({ registration }) =>
        eventually(async () => {
          const retry = await register(service.url, registration);
          expect([201, 409]).toContain(retry.answer.status);
          return retry;
        }),
      ),
    );

    expect(countByStatus(attempts)).toEqual({ 503: 20 });
    expect(probes.map(({ status }) => status)).toEqual([200, 200, 503, 200]);
    expect(probes[2].body).toMatchObject({ services: { kafka: 'unhealthy' } });
    await eventually(async () => {
      for (const { registration } of retries) {
        await service.http.get(`/api/users/${registration.email}`).expect(200);
      }
    });
    await kafka.drained();
    const asStored = retries.map((retry) => ({ ...retry, answer: { ...retry.answer, status: 201 } }));
    for (const { registration } of asStored) {
      const { body } = await service.http.get(`/api/users/${registration.email}`).expect(200);
      expect(body).toMatchObject({ data: { first_name: registration.firstName } });
    }
    await expectTopicIsTable(service.env);
  });
});

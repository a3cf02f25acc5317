import { randomUUID } from 'node:crypto';
import { CHECK_KEYS } from '../../src/redis/keys-and-lifetimes';
import { buildEvent, buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startFarRedis } from '../support/far-redis';
import { startService, type TestService } from '../support/harness';
import { deadLettersIn, drained, produce } from '../support/kafka-tools';
import { useOwnServer } from '../support/outage';
import { postJson } from '../support/raw-http';
import { monitorRedis } from '../support/redis-monitor';
import { sql, withRedis, type Env } from '../support/test-servers';
import { countByStatus, expectStored, register, startTraffic, type Attempt } from '../support/traffic';

const redis = useOwnServer('redis', { durable: true });
let service: TestService;

beforeAll(() => ({ service } = redis));

beforeEach(async () => {
  await sql(service.env, 'TRUNCATE users');
});

/** All keys like this one, on whichever server they are. */
const keysLike = (pattern: string, env: Env = service.env): Promise<string[]> =>
  withRedis(env, async (_redis, primaries) =>
    (await Promise.all(primaries.map((server) => server.keys(pattern)))).flat(),
  );

/** Fails unless all are known to be stored, whatever Redis holds, and no reservation is left once a POST has met it. */
async function expectRegistered(attempts: readonly Attempt[]): Promise<void> {
  const emails = attempts.map(({ registration }) => registration.email);
  const statuses = await Promise.all(emails.map((email) => service.http.get(`/api/users/${email}/status`)));
  const others = await Promise.all(
    attempts.map(({ registration }) => register(service.url, { ...registration, firstName: 'Mallory' })),
  );
  expect(statuses.map(({ body }) => body as unknown)).toEqual(
    emails.map((email) => ({ success: true, data: { email, status: 'completed' } })),
  );
  expect(new Set(others.map(({ answer }) => answer.body))).toEqual(
    new Set(['{"success":false,"error":"User already registered"}']),
  );
  await eventually(async () => expect(await keysLike('user:pending:*')).toEqual([]));
}

describe('Redis killed and restarted under load', () => {
  it('fails no POST, loses and doubles nothing, and no reservation outlives the next POST', async () => {
    const traffic = startTraffic(service.url, 50);
    await redis.server.kill();
    await redis.untilUnhealthy();
    const meanwhile = await register(service.url);

    await redis.server.restart();
    await redis.untilHealthy();
    const attempts = [...(await traffic.stop()), meanwhile];

    expect(Object.keys(countByStatus(attempts))).toEqual(['201']);
    await redis.drained();
    await expectStored(service.env, attempts);
    await expectRegistered(attempts);
  });
});

describe('Redis restarted with older data', () => {
  it('makes no stored email pending: each is registered, and a POST promotes it', async () => {
    const attempts = await Promise.all(Array.from({ length: 20 }, () => register(service.url)));
    await redis.drained();
    await withRedis(service.env, async (client, primaries) => {
      await Promise.all(primaries.map((server) => server.flushdb()));
      for (const { registration } of attempts) {
        const event = buildEvent({ registration: { ...registration, firstName: 'Jane' } });
        await client.set(`user:pending:${registration.email}`, JSON.stringify(event), 'EX', 3600);
      }
    });
    await redis.server.kill();
    await redis.untilUnhealthy();

    await redis.server.restart();
    await redis.untilHealthy();

    expect(countByStatus(attempts)).toEqual({ 201: 20 });
    await expectRegistered(attempts);
    expect(await keysLike('user:completed:*')).toHaveLength(attempts.length);
    await expectStored(service.env, attempts);
  });
});

describe('Redis unavailable', () => {
  it('lets the table decide, and reads go on', async () => {
    await redis.server.kill();
    await redis.untilUnhealthy();

    const attempt = await register(service.url);
    const other = await register(service.url);
    await redis.drained();
    const { headers } = await service.http.get('/api/users?limit=1').expect(200);
    const nextPage = /^<(.+)>/.exec(headers['link'] ?? '')?.[1] ?? '';
    const answers = await Promise.all([
      service.http.get('/api/health/live'),
      service.http.get('/api/health/ready'),
      service.http.get('/api/users'),
      service.http.get(`/api/users/${attempt.registration.email}`),
      service.http.get(`/api/users/${attempt.registration.email}/status`),
      service.http.get('/api/users/unknown@example.com/status'),
      service.http.get(nextPage),
      postJson(`${service.url}/api/users`, { ...attempt.registration, firstName: 'Mallory' }),
    ]);

    expect([attempt.answer.status, other.answer.status]).toEqual([201, 201]);
    // Unknown to PostgreSQL alone says nothing: the email may be pending.
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 503, 200, 409]);
    await redis.server.restart();
    await redis.untilHealthy();
    await expectStored(service.env, [attempt, other]);
  });

  it('ignores an Idempotency-Key: a new registration is accepted, a stored one rejected', async () => {
    await redis.server.kill();
    await redis.untilUnhealthy();
    const registration = buildRegistration();
    const key = { 'Idempotency-Key': randomUUID() };

    const first = await postJson(`${service.url}/api/users`, registration, key);
    await redis.drained();
    const again = await postJson(`${service.url}/api/users`, registration, key);

    expect([first.status, again.status]).toEqual([201, 409]);
    await redis.server.restart();
    await redis.untilHealthy();
    const afterwards = await postJson(`${service.url}/api/users`, registration, key);
    expect(afterwards.status).toBe(409);
    await expectStored(service.env, [{ registration, answer: first }]);
  });
});

describe('the rate limit while Redis is unavailable', () => {
  it('is counted in memory, and in Redis again afterwards', async () => {
    const limited = await startService({ ...redis.env, RATE_LIMIT_MAX: '3', TRUST_PROXY: '1' });
    const ask = () => limited.http.get('/api/nothing').set('X-Forwarded-For', '198.51.100.1');
    const remaining = async (): Promise<string | undefined> => {
      const { headers } = await ask();
      return /remaining=(\d+)/.exec(headers['ratelimit'] as string)?.[1];
    };
    const before = [await remaining(), await remaining()];

    await redis.server.kill();
    const meanwhile = [await remaining(), await remaining(), await remaining()];
    const rejected = await ask();
    await redis.server.restart();

    expect([before, meanwhile]).toEqual([
      ['2', '1'],
      ['2', '1', '0'],
    ]);
    expect(rejected.status).toBe(429);
    // It has kept its count; asking goes on counting.
    await eventually(() =>
      withRedis(limited.env, async (client) => {
        await ask();
        expect(Number(await client.get('rate-limit:198.51.100.1'))).toBeGreaterThan(2);
      }),
    );
    await limited.stop();
  });
});

describe('the rate limit', () => {
  it('costs each request one command, whatever the route', async () => {
    // The test before has restarted Redis; until the service has noticed, it does not ask.
    await redis.untilHealthy();
    // It loads its script first where that is missing.
    await service.http.get('/api/nothing');
    const commands: (readonly string[])[] = [];
    const monitor = await monitorRedis(redis.env['REDIS_URL'] ?? '', ({ source, args }) => {
      // Not the commands within a script, nor those of the background check.
      const isBackground = args.some((arg) => CHECK_KEYS.includes(arg));
      if (source !== 'lua' && !isBackground) commands.push(args);
    });

    for (const path of ['/api/nothing', '/api/users', '/api/users/unknown@example.com'])
      await service.http.get(path);
    await eventually(() =>
      expect(commands.some((args) => args.includes('user:completed:unknown@example.com'))).toBe(true),
    );

    monitor.stop();
    const counting = commands.filter((args) => args.some((arg) => arg.startsWith('rate-limit:')));
    expect(counting).toHaveLength(3);
    expect(commands).toHaveLength(4);
  });
});

describe('Redis far away', () => {
  it('holds up no offset: 500 bad records are 500 dead letters, marked and freed in a few pipelines', async () => {
    const farRedis = await startFarRedis(50);
    const far = await startService(farRedis.env);
    const events = Array.from({ length: 500 }, () => buildEvent());
    await withRedis(far.env, (client) =>
      Promise.all(
        events.map((event) => client.set(`user:pending:${event.registration.email}`, JSON.stringify(event))),
      ),
    );

    await produce(
      far.env,
      events.map(({ eventId, registration: { email } }) => ({
        ...{ key: email, value: '{', headers: { 'event-id': eventId } },
      })),
    );

    await drained(far.env);
    expect(await deadLettersIn(far.env)).toHaveLength(events.length);
    const keys = await keysLike('user:*:*', far.env);
    expect(keys.sort()).toEqual(events.map(({ registration }) => `user:failed:${registration.email}`).sort());
    await far.stop();
    await farRedis.stop();
  });
});

describe('Redis frozen', () => {
  it('holds up no request for more than 300 ms in all, counting included', async () => {
    const timed = async (ask: () => PromiseLike<unknown>): Promise<number> => {
      const startedAt = performance.now();
      await ask();
      return performance.now() - startedAt;
    };
    const requests = [
      () => service.http.get('/api/nothing'),
      () => service.http.get('/api/users/unknown@example.com'),
      () => service.http.get('/api/users/unknown@example.com/status'),
      () => postJson(`${service.url}/api/users`, buildRegistration()),
      () => postJson(`${service.url}/api/users`, buildRegistration(), { 'Idempotency-Key': randomUUID() }),
    ];
    const timeAll = (): Promise<number[]> => Promise.all(requests.map(timed));
    const freezeAndTime = async (): Promise<number[]> => {
      await redis.server.freeze();
      const times = await timeAll();
      await redis.server.thaw();
      await redis.untilHealthy();
      await redis.drained();
      return times;
    };
    // The shortest of three each: what more the others took, this machine was busy with something else.
    const shortest = async (measure: () => Promise<number[]>): Promise<number[]> => {
      const rounds = [await measure(), await measure(), await measure()];
      return requests.map((_, index) => Math.min(...rounds.map((times) => times[index] ?? Infinity)));
    };

    const asUsual = await shortest(timeAll);
    const frozen = await shortest(freezeAndTime);

    // Less would say that nothing waited at all; what more there is, is not Redis'.
    expect(Math.max(...frozen)).toBeGreaterThan(290);
    expect(Math.max(...frozen)).toBeLessThan(300 + Math.max(...asUsual, 100));
  });

  it('costs no POST its 201; a reservation made late does not outlive the next POST', async () => {
    await redis.server.freeze();
    const attempts = await Promise.all(Array.from({ length: 20 }, () => register(service.url)));
    await redis.untilUnhealthy();
    await redis.drained();

    await redis.server.thaw();

    expect(countByStatus(attempts)).toEqual({ 201: 20 });
    await expectStored(service.env, attempts);
    await redis.untilHealthy();
    await expectRegistered(attempts);
  });
});

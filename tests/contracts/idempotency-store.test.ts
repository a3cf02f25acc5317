import { loadConfig } from '../../src/config/config';
import { UnavailableError } from '../../src/domain/errors';
import type { RedisConnection } from '../../src/redis/connection';
import { LOCK_TTL_MS, RedisIdempotencyStore } from '../../src/redis/idempotency-store';
import type { IdempotencyStore } from '../../src/services/ports/stores';
import { buildAttempt } from '../support/builders';
import { InMemoryIdempotencyStore } from '../support/fakes/redis';
import { ageIdempotencyLock, idempotencyKeyInRedis } from '../support/idempotency';
import { useRedisCluster } from '../support/redis-cluster';
import { connectRedis } from '../support/redis-connection';
import { isolatedServers, withRedis, type Env } from '../support/test-servers';

let env: Env;
let connection: RedisConnection;
const cluster = useRedisCluster();
let ofCluster: RedisConnection;

beforeAll(async () => {
  env = await isolatedServers();
  connection = await connectRedis(env);
  ofCluster = await connectRedis(cluster.env);
});

afterAll(() => Promise.all([connection.stop(), ofCluster.stop()]));

interface Subject {
  readonly records: IdempotencyStore;
  readonly expireLock: (key: string) => void | Promise<void>;
}

describe.each<[string, () => Subject]>([
  [
    'InMemoryIdempotencyStore',
    () => {
      const records = new InMemoryIdempotencyStore();
      return { records, expireLock: (key) => records.expireLock(key) };
    },
  ],
  [
    'RedisIdempotencyStore',
    () => ({
      records: new RedisIdempotencyStore(connection),
      expireLock: (key) => ageIdempotencyLock(env, key),
    }),
  ],
  [
    'RedisIdempotencyStore on a cluster',
    () => ({
      records: new RedisIdempotencyStore(ofCluster),
      expireLock: (key) => ageIdempotencyLock(cluster.env, key),
    }),
  ],
])('IdempotencyStore: %s', (_name, create) => {
  it('locks a new key for one of racing attempts', async () => {
    const { records } = create();
    const { key } = buildAttempt();

    const claims = await Promise.all(Array.from({ length: 20 }, () => records.claim(buildAttempt({ key }))));

    expect(claims.sort()).toEqual([...Array<string>(19).fill('inProgress'), 'new']);
  });

  it.each([
    ['accepted', 'completed'],
    ['unknown', 'retry'],
    ['rejected', 'new'],
  ] as const)('after an attempt that was %s the next one is %s', async (result, claim) => {
    const { records } = create();
    const attempt = buildAttempt();
    await records.claim(attempt);

    await records.finish(attempt, result);

    expect(await records.claim(buildAttempt({ key: attempt.key }))).toBe(claim);
  });

  it.each(['in flight', 'accepted', 'unknown', 'rejected'] as const)(
    'tells another registration, whatever became of the first: %s',
    async (result) => {
      const { records } = create();
      const attempt = buildAttempt();
      await records.claim(attempt);
      if (result !== 'in flight') await records.finish(attempt, result);

      const claim = await records.claim(buildAttempt({ key: attempt.key, fingerprint: 'another' }));

      expect(claim).toBe('registrationMismatch');
    },
  );

  it.each(['unknown', 'never finished'])(
    'does not forget an attempt that may have been accepted (%s) when a later one is rejected',
    async (end) => {
      const { records, expireLock } = create();
      const first = buildAttempt();
      const second = buildAttempt({ key: first.key });
      await records.claim(first);
      await (end === 'unknown' ? records.finish(first, 'unknown') : expireLock(first.key));

      const claims = [await records.claim(second)];
      await records.finish(second, 'rejected');
      claims.push(await records.claim(buildAttempt({ key: first.key })));

      expect(claims).toEqual(['retry', 'retry']);
    },
  );

  it('lets no attempt finish a later one, or one that was never claimed', async () => {
    const { records, expireLock } = create();
    const late = buildAttempt();
    const holder = buildAttempt({ key: late.key });
    await records.finish(late, 'accepted');
    expect(await records.claim(late)).toBe('new');
    await expireLock(late.key);
    await records.claim(holder);

    await records.finish(late, 'accepted');

    expect(await records.claim(late)).toBe('inProgress');
  });
});

describe('idempotency:{sha256 of the key}', () => {
  it('holds fingerprint and attempt, then the result, for 24 hours from the last of them', async () => {
    const records = new RedisIdempotencyStore(connection);
    const attempt = buildAttempt({ key: 'a key', fingerprint: 'f', attemptId: 'a' });
    const key = 'idempotency:8fa3aab2faa9b79e0a0398da5b5abd0780142442a5be80b9a64608d718cb1fcd';
    const read = () =>
      withRedis(env, async (redis) => ({ hash: await redis.hgetall(key), ttl: await redis.ttl(key) }));

    await records.claim(attempt);
    const claimed = await read();
    await ageIdempotencyLock(env, 'a key');
    await records.finish(attempt, 'accepted');
    const finished = await read();

    expect(claimed.hash).toEqual({ registration: 'f', attempt: 'a' });
    expect(finished.hash).toEqual({ registration: 'f', result: 'accepted' });
    for (const { ttl } of [claimed, finished]) {
      expect(ttl).toBeGreaterThan(86_390);
      expect(ttl).toBeLessThanOrEqual(86_400);
    }
  });

  it('stays locked for longer than Kafka may be waited for', async () => {
    const records = new RedisIdempotencyStore(connection);
    const attempt = buildAttempt();
    const longestWaitMs = LOCK_TTL_MS - 10_000;
    await records.claim(attempt);

    await ageIdempotencyLock(env, attempt.key, longestWaitMs + 5000);

    expect(await records.claim(attempt)).toBe('inProgress');
    expect(() => loadConfig({ KAFKA_DELIVERY_TIMEOUT_MS: String(longestWaitMs + 1) })).toThrow(
      'KAFKA_DELIVERY_TIMEOUT_MS',
    );
  });

  // As versions before kept it: fingerprint of the body's bytes, and 400 and 409 as well.
  it.each([
    [{ fingerprint: 'f', outcome: '{"kind":"accepted"}' }, 'retry'],
    [{ fingerprint: 'f' }, 'retry'],
    [{ fingerprint: 'f', attempt: 'a' }, 'inProgress'],
    [{ fingerprint: 'f', outcome: '{"kind":"registered"}' }, 'new'],
    [{ fingerprint: 'f', outcome: '{"kind":"invalid","message":"m"}' }, 'new'],
    [{ fingerprint: 'f', outcome: 'text' }, 'new'],
  ])('of an earlier version, %j, is: %s', async (hash, claim) => {
    const records = new RedisIdempotencyStore(connection);
    const attempt = buildAttempt();
    await withRedis(env, async (redis) => {
      await redis.hset(idempotencyKeyInRedis(attempt.key), hash);
      await redis.expire(idempotencyKeyInRedis(attempt.key), 86_400);
    });

    expect(await records.claim(attempt)).toBe(claim);
    await ageIdempotencyLock(env, attempt.key);
    await records.claim(attempt);
    await records.finish(attempt, 'accepted');
    expect(await records.claim(attempt)).toBe('completed');
  });

  it('that is no hash counts as unavailable', async () => {
    const attempt = buildAttempt();
    await withRedis(env, (redis) => redis.set(idempotencyKeyInRedis(attempt.key), 'text'));

    await expect(new RedisIdempotencyStore(connection).claim(attempt)).rejects.toThrow(UnavailableError);
  });
});

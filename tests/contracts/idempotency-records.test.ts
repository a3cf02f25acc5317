import { createHash } from 'node:crypto';
import { UnavailableError } from '../../src/domain/errors';
import { RedisConnection } from '../../src/redis/redis-connection';
import { RedisIdempotencyRecords } from '../../src/redis/redis-idempotency-records';
import type { IdempotencyRecords } from '../../src/services/ports';
import { buildAttempt } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryIdempotencyRecords } from '../support/fakes';
import { endIdempotencyMark, idempotencyKeyInRedis } from '../support/idempotency';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, withRedis, type Env } from '../support/test-servers';

let env: Env;
let connection: RedisConnection;

beforeAll(async () => {
  env = await isolatedServers();
  connection = new RedisConnection({
    url: env['REDIS_URL'] ?? '',
    state: { isAway: false },
    log: new RecordingLogger(),
  });
  connection.start();
  await eventually(() => connection.check());
});

afterAll(() => connection.stop());

interface Subject {
  readonly records: IdempotencyRecords;
  readonly endMark: (key: string) => void | Promise<void>;
}

describe.each<[string, () => Subject]>([
  [
    'InMemoryIdempotencyRecords',
    () => {
      const records = new InMemoryIdempotencyRecords();
      return { records, endMark: (key) => records.endMark(key) };
    },
  ],
  [
    'RedisIdempotencyRecords',
    () => ({
      records: new RedisIdempotencyRecords(connection),
      endMark: (key) => endIdempotencyMark(env, key),
    }),
  ],
])('IdempotencyRecords: %s', (_name, create) => {
  it('gives a new key to the attempt; others with the same body meet it in progress', async () => {
    const { records } = create();
    const attempt = buildAttempt();

    expect(await records.claim(attempt)).toEqual({ state: 'claimed', isRetry: false });
    expect(await records.claim(buildAttempt({ key: attempt.key }))).toEqual({ state: 'in progress' });
  });

  it('gives racing attempts exactly one winner', async () => {
    const { records } = create();
    const { key } = buildAttempt();

    const claims = await Promise.all(Array.from({ length: 20 }, () => records.claim(buildAttempt({ key }))));

    expect(claims.filter(({ state }) => state === 'claimed')).toHaveLength(1);
    expect(claims.filter(({ state }) => state === 'in progress')).toHaveLength(19);
  });

  it.each([
    { kind: 'accepted' },
    { kind: 'registered' },
    { kind: 'invalid', message: 'Validation error: "lastName" is ünfit' },
  ] as const)('answers every later attempt with the outcome kept: $kind', async (outcome) => {
    const { records } = create();
    const attempt = buildAttempt();
    await records.claim(attempt);

    await records.keep(attempt, outcome);

    const again = buildAttempt({ key: attempt.key });
    expect(await records.claim(again)).toEqual({ state: 'ended', outcome });
    expect(await records.claim(again)).toEqual({ state: 'ended', outcome });
  });

  it('tells another body, in progress, released and ended', async () => {
    const { records } = create();
    const attempt = buildAttempt();
    const other = buildAttempt({ key: attempt.key, fingerprint: 'another body' });
    await records.claim(attempt);

    expect(await records.claim(other)).toEqual({ state: 'other body' });
    await records.release(attempt);
    expect(await records.claim(other)).toEqual({ state: 'other body' });
    await records.claim(attempt);
    await records.keep(attempt, { kind: 'accepted' });
    expect(await records.claim(other)).toEqual({ state: 'other body' });
  });

  it.each(['is released', 'runs out'])('lets a retry go on when the mark %s', async (how) => {
    const { records, endMark } = create();
    const attempt = buildAttempt();
    await records.claim(attempt);

    await (how === 'runs out' ? endMark(attempt.key) : records.release(attempt));

    const retry = buildAttempt({ key: attempt.key });
    expect(await records.claim(retry)).toEqual({ state: 'claimed', isRetry: true });
    expect(await records.claim(attempt)).toEqual({ state: 'in progress' });
  });

  it('lets nobody end the mark of a later attempt', async () => {
    const { records, endMark } = create();
    const late = buildAttempt();
    const holder = buildAttempt({ key: late.key });
    await records.claim(late);
    await endMark(late.key);
    await records.claim(holder);

    await records.keep(late, { kind: 'accepted' });
    await records.release(late);

    expect(await records.claim(buildAttempt({ key: late.key }))).toEqual({ state: 'in progress' });
    await records.keep(holder, { kind: 'registered' });
    await records.keep(late, { kind: 'accepted' });
    expect(await records.claim(late)).toEqual({ state: 'ended', outcome: { kind: 'registered' } });
  });

  it('knows nothing of keys that were never claimed', async () => {
    const { records } = create();
    const attempt = buildAttempt();

    await records.keep(attempt, { kind: 'accepted' });
    await records.release(attempt);

    expect(await records.claim(attempt)).toEqual({ state: 'claimed', isRetry: false });
  });
});

describe('idempotency:{sha256 of the key}', () => {
  const read = (key: string) =>
    withRedis(env, async (redis) => ({ hash: await redis.hgetall(key), ttl: await redis.ttl(key) }));

  it('holds fingerprint and attempt, then the outcome; each claim and outcome for 24 hours', async () => {
    const records = new RedisIdempotencyRecords(connection);
    const attempt = buildAttempt({ key: 'a key', fingerprint: 'f', attemptId: 'a' });
    const key = `idempotency:${createHash('sha256').update('a key').digest('hex')}`;

    await records.claim(attempt);
    const claimed = await read(key);
    await endIdempotencyMark(env, 'a key');
    await records.keep(attempt, { kind: 'accepted' });
    const ended = await read(key);

    expect(claimed.hash).toEqual({ fingerprint: 'f', attempt: 'a' });
    expect(ended.hash).toEqual({ fingerprint: 'f', outcome: '{"kind":"accepted"}' });
    for (const { ttl } of [claimed, ended]) {
      expect(ttl).toBeGreaterThan(86_390);
      expect(ttl).toBeLessThanOrEqual(86_400);
    }
  });

  it('lets the mark live 30 s', async () => {
    const records = new RedisIdempotencyRecords(connection);
    const attempt = buildAttempt();
    const key = idempotencyKeyInRedis(attempt.key);
    const age = (ms: number) => withRedis(env, (redis) => redis.pexpire(key, 86_400_000 - ms));
    await records.claim(attempt);

    await age(25_000);
    expect(await records.claim(attempt)).toEqual({ state: 'in progress' });
    await age(30_000);
    expect(await records.claim(attempt)).toEqual({ state: 'claimed', isRetry: true });
  });

  it.each(['text', 'null', '{}', '{"kind":"x"}'])('with the outcome %s counts as away', async (outcome) => {
    const records = new RedisIdempotencyRecords(connection);
    const attempt = buildAttempt();
    await records.claim(attempt);
    await withRedis(env, (redis) => redis.hset(idempotencyKeyInRedis(attempt.key), { outcome }));

    await expect(records.claim(attempt)).rejects.toThrow(UnavailableError);
  });

  it('that is no hash counts as away', async () => {
    const { key, ...attempt } = buildAttempt();
    await withRedis(env, (redis) => redis.set(idempotencyKeyInRedis(key), 'text'));

    await expect(new RedisIdempotencyRecords(connection).claim({ key, ...attempt })).rejects.toThrow(
      UnavailableError,
    );
  });
});

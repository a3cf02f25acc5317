import { Redis } from 'ioredis';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { currentVariant } from '../../dev/local-stack/variant';
import { hintFor } from '../../src/observability/hint';
import { RedisConnection } from '../../src/redis/connection';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import { RecordingLogger, type LogLine } from '../support/recording-logger';
import { isolatedServers, sql } from '../support/test-servers';
import { expectStored, register } from '../support/traffic';

let stack: LocalStack;
let service: TestService;
/** One for each server. */
let admins: readonly Redis[];

beforeAll(async () => {
  stack = await startLocalStack({ services: ['redis'], report: () => undefined });
  admins = (stack.env['REDIS_URL'] ?? '').split(',').map((url) => new Redis(url));
  service = await startService(stack.env);
});

afterAll(async () => {
  for (const admin of admins) admin.disconnect();
  await stack.kill();
});

const onAll = (act: (admin: Redis) => Promise<unknown>): Promise<unknown> => Promise.all(admins.map(act));

/** Lets a user in, by these rules. */
const allow = (...rules: string[]): Promise<unknown> =>
  onAll((admin) => admin.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>password', ...rules));

/** REDIS_URL with that user in it. */
const urlOfUser = (): string => (stack.env['REDIS_URL'] ?? '').replaceAll('://', '://limited:password@');

const healthOf = async ({ http }: TestService): Promise<unknown> => (await http.get('/api/health')).body;

const unavailableLines = ({ log }: TestService): LogLine[] =>
  log.lines.filter(
    ({ message, dependency }) => /dependency unavailable|waiting for/.test(message) && dependency === 'redis',
  );

/** How often the background check has run; two scripts each time. */
async function checks(): Promise<number> {
  const calls = /cmdstat_evalsha:calls=(\d+)/.exec((await admins[0]?.info('commandstats')) ?? '')?.[1] ?? 0;
  return Number(calls) / 2;
}

beforeEach(async () => {
  await sql(service.env, 'TRUNCATE users');
});

type Act = (admin: Redis) => Promise<unknown>;
const failures: [string, RegExp, Act, Act][] = [
  [
    'is full',
    /maxmemory/,
    (admin) => admin.config('SET', 'maxmemory', '1'),
    (admin) => admin.config('SET', 'maxmemory', '0'),
  ],
  [
    'has lost a command that only a script calls',
    /allowed/,
    (admin) => admin.call('ACL', 'SETUSER', 'default', '-hset'),
    (admin) => admin.call('ACL', 'SETUSER', 'default', '+hset'),
  ],
];
// A node of a cluster cannot be made one by hand.
if (!currentVariant().isRedisCluster)
  failures.push([
    'has become a read-only replica',
    /primary/,
    (admin) => admin.replicaof('127.0.0.1', 1),
    (admin) => admin.replicaof('NO', 'ONE'),
  ]);

describe.each(failures)('a Redis that answers, but %s', (_what, hint, fail, repair) => {
  it('is reported as unavailable, once, with a hint; PostgreSQL alone decides until it is repaired', async () => {
    const linesBefore = unavailableLines(service).length;
    await onAll(fail);
    await eventually(async () =>
      expect(await healthOf(service)).toMatchObject({ services: { redis: 'unhealthy' } }),
    );

    const attempts = [await register(service.url), await register(service.url)];
    const checksBefore = await checks();
    await eventually(async () => expect(await checks()).toBeGreaterThan(checksBefore + 1));
    const lines = unavailableLines(service).slice(linesBefore);
    await onAll(repair);

    expect(attempts.map(({ answer }) => answer.status)).toEqual([201, 201]);
    expect(lines).toEqual([
      expect.objectContaining({ level: 'warn', hint: expect.stringMatching(hint) as string }),
    ]);
    await eventually(async () => expect(await healthOf(service)).toMatchObject({ message: 'OK' }));
    await expectStored(service.env, attempts);
  });
});

describe.each(['user:*', 'idempotency:*', 'rate-limit:*'])('a user who may not use %s', (denied) => {
  it('is named in a hint at the start, and the service is never ready', async () => {
    const allowed = ['user:*', 'idempotency:*', 'rate-limit:*'].filter((prefix) => prefix !== denied);
    const rules = allowed.map((prefix) => `~${prefix}`);
    await allow('+@all', ...rules);
    const limited = await startUnready({
      ...(await isolatedServers()),
      ...stack.env,
      REDIS_URL: urlOfUser(),
    });

    const line = await eventually(() => {
      expect(unavailableLines(limited)).toHaveLength(1);
      return unavailableLines(limited)[0];
    });
    await eventually(async () =>
      expect(await healthOf(limited)).toMatchObject({ services: { postgres: 'healthy', kafka: 'healthy' } }),
    );

    expect(line).toMatchObject({ level: 'warn', hint: expect.stringContaining(denied) as string });
    expect(await healthOf(limited)).toMatchObject({ services: { redis: 'unhealthy' } });
    await limited.http.get('/api/health/ready').expect(503);
    await limited.stop();
  });
});

describe('a connection to Redis', () => {
  const used = ['set', 'get', 'exists', 'del', 'eval', 'evalsha'];
  const scripted = ['hset', 'hget', 'hmget', 'hdel', 'incr', 'pttl', 'pexpire'];

  /** What the first check of a connection of its own fails with, if it does, and what was logged. */
  async function checkOnce(url = stack.env['REDIS_URL'] ?? '') {
    const log = new RecordingLogger();
    const isCluster = stack.redisCluster !== undefined;
    const connection = new RedisConnection({ url, isCluster, state: { isUnavailable: false }, log });
    connection.start();
    const problem: unknown = await connection.check().then(
      () => undefined,
      (error: unknown) => error,
    );
    await connection.stop();
    return { problem, warnings: log.lines.filter(({ level }) => level === 'warn') };
  }

  it.each([...used, ...scripted])('is no healthy one without the right to %s', async (command) => {
    await allow('~*', '+@all', `-${command}`);

    const { problem } = await checkOnce(urlOfUser());

    expect(hintFor('redis', problem)).toContain('must be allowed');
  });

  it('names a policy that evicts keys', async () => {
    await admins[0]?.config('SET', 'maxmemory-policy', 'volatile-lru');
    const { warnings } = await checkOnce();
    await admins[0]?.config('SET', 'maxmemory-policy', 'noeviction');

    expect(warnings).toEqual([expect.objectContaining({ policy: 'volatile-lru' })]);
    expect((await checkOnce()).warnings).toEqual([]);
  });
});

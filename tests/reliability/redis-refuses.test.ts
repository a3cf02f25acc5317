import { Redis } from 'ioredis';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import type { LogLine } from '../support/recording-logger';
import { isolatedServers, sql } from '../support/test-servers';
import { expectStored, register } from '../support/traffic';

let stack: LocalStack;
let service: TestService;
let admin: Redis;

beforeAll(async () => {
  stack = await startLocalStack({ services: ['redis'], report: () => undefined });
  admin = new Redis(stack.env['REDIS_URL'] ?? '');
  service = await startService(stack.env);
});

afterAll(async () => {
  admin.disconnect();
  await stack.kill();
});

const healthOf = async ({ http }: TestService): Promise<unknown> => (await http.get('/api/health')).body;

const unavailableLines = ({ log }: TestService): LogLine[] =>
  log.lines.filter(
    ({ message, dependency }) => /dependency unavailable|waiting for/.test(message) && dependency === 'redis',
  );

/** How often the background check has run; three scripts each time. */
async function checks(): Promise<number> {
  const calls = /cmdstat_eval:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0;
  return Number(calls) / 3;
}

beforeEach(async () => {
  await sql(service.env, 'TRUNCATE users');
});

const failures: [string, RegExp, () => Promise<unknown>, () => Promise<unknown>][] = [
  [
    'is full',
    /maxmemory/,
    () => admin.config('SET', 'maxmemory', '1'),
    () => admin.config('SET', 'maxmemory', '0'),
  ],
  [
    'has become a read-only replica',
    /primary/,
    () => admin.replicaof('127.0.0.1', 1),
    () => admin.replicaof('NO', 'ONE'),
  ],
];

describe.each(failures)('a Redis that answers, but %s', (_what, hint, fail, repair) => {
  it('is reported as unavailable, once, with a hint; PostgreSQL alone decides until it is repaired', async () => {
    const linesBefore = unavailableLines(service).length;
    await fail();
    await eventually(async () =>
      expect(await healthOf(service)).toMatchObject({ services: { redis: 'unhealthy' } }),
    );

    const attempts = [await register(service.url), await register(service.url)];
    const checksBefore = await checks();
    await eventually(async () => expect(await checks()).toBeGreaterThan(checksBefore + 1));
    const lines = unavailableLines(service).slice(linesBefore);
    await repair();

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
    await admin.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>password', '+@all', ...rules);
    const url = (stack.env['REDIS_URL'] ?? '').replace('redis://', 'redis://limited:password@');
    const limited = await startUnready({ ...(await isolatedServers()), REDIS_URL: url });

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

import type { RegistrationEvent } from '../../src/services/ports/messaging';
import { buildEvent, buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService } from '../support/harness';
import { createTopics, deadLettersIn, drained, recordsIn } from '../support/kafka-tools';
import { runEntryPoint } from '../support/service-process';
import { insertUser, isolatedServers, sql, UNREACHABLE, withRedis, type Env } from '../support/test-servers';
import { reconcile } from '../support/tool-run';

const MINUTE_MS = 60_000;

const accepted = (minutesAgo: number, overrides: Partial<RegistrationEvent> = {}): RegistrationEvent =>
  buildEvent({ acceptedAt: new Date(Date.now() - minutesAgo * MINUTE_MS).toISOString(), ...overrides });

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Reservations as the API makes them; text stands for an entry that cannot be read. */
async function reserve(
  env: Env,
  entries: Readonly<Record<string, RegistrationEvent | string>>,
): Promise<void> {
  await withRedis(env, async (redis) => {
    for (const [email, entry] of Object.entries(entries)) {
      const value = typeof entry === 'string' ? entry : JSON.stringify(entry);
      await redis.set(`user:pending:${email}`, value, 'EX', 3600);
    }
  });
}

const pendingKeys = (env: Env): Promise<string[]> => withRedis(env, (redis) => redis.keys('user:pending:*'));

const storedNames = async (env: Env): Promise<unknown[]> =>
  (await sql(env, 'SELECT first_name FROM users')).map((row) => row['first_name']);

/** One reservation of each kind, on servers of their own and without a service. */
async function setUp() {
  const env = await isolatedServers();
  await createTopics(env);
  const events = { recent: accepted(9), lost: accepted(11), expiring: accepted(59.5), stored: accepted(20) };
  const byEmail = Object.values(events).map((event) => [event.registration.email, event] as const);
  await insertUser(env, events.stored.registration);
  await reserve(env, { ...Object.fromEntries(byEmail), 'broken@example.com': '{' });
  return { env, ...events };
}

describe('reconcile', () => {
  it('lists old reservations without a row, without emails, and changes nothing', async () => {
    const { env, lost, expiring } = await setUp();

    const { code, stdout, stderr } = await reconcile(env);

    expect(code).toBe(0);
    const lines = linesOf(stdout);
    expect(lines.slice(0, -1).sort()).toEqual(
      [
        `${lost.eventId}  accepted ${lost.acceptedAt}  11 min ago  unstored`,
        `${expiring.eventId}  accepted ${expiring.acceptedAt}  59 min ago  expiring`,
        'unreadable',
      ].sort(),
    );
    expect(lines.at(-1)).toBe(
      '5 pending keys: 1 without a row, 1 expiring within a minute (left alone), 1 with a row, 1 unreadable, 1 younger than 10 min',
    );
    expect(stderr).toContain('--publish sends the 1 again and frees the 1\n');
    expect(stdout + stderr).not.toContain('@');
    expect(await pendingKeys(env)).toHaveLength(5);
    expect(await recordsIn(env)).toEqual([]);
  });

  it('shows emails when asked to, and takes another age', async () => {
    const { env, recent, lost } = await setUp();

    const { stdout } = await reconcile(env, '--older-than 0.5 --show-emails');

    expect(stdout).toContain(`9 min ago  unstored  ${recent.registration.email}\n`);
    expect(stdout).toContain(`11 min ago  unstored  ${lost.registration.email}\n`);
    expect(stdout).toContain('unreadable  broken@example.com\n');
    expect((await reconcile(env, '--older-than 15')).stdout).toContain('0 without a row');
  });

  it('publishes the very event again and frees the email that has a row', async () => {
    const { env, lost, stored } = await setUp();

    const { code, stdout } = await reconcile(env, '--publish');

    expect(code).toBe(0);
    expect(stdout).toContain(`${lost.eventId}  accepted ${lost.acceptedAt}  11 min ago  published\n`);
    expect(stdout).toContain('1 without a row (published)');
    expect(stdout).toContain('1 with a row (freed)');
    expect(await recordsIn(env)).toEqual([
      {
        key: lost.registration.email,
        value: JSON.stringify(lost.registration),
        headers: { 'event-id': lost.eventId, 'accepted-at': lost.acceptedAt, 'request-id': 'reconcile' },
      },
    ]);
    expect(await pendingKeys(env)).toHaveLength(4);
    const cached = await withRedis(env, (redis) => redis.get(`user:completed:${stored.registration.email}`));
    expect(JSON.parse(cached ?? '{}')).toMatchObject({ email: stored.registration.email });
  });

  it('stores what it publishes once, however often it is repeated', async () => {
    const { env } = await startService();
    const event = accepted(11, { registration: buildRegistration({ firstName: 'Lost' }) });
    await reserve(env, { [event.registration.email]: event });

    await Promise.all([reconcile(env, '--publish'), reconcile(env, '--publish')]);
    await eventually(async () => expect(await storedNames(env)).toEqual(['Lost']));
    await drained(env);

    expect((await reconcile(env, '--publish')).stdout).toMatch(/^0 pending keys: 0 without a row/);
    expect(await storedNames(env)).toEqual(['Lost']);
    expect(await deadLettersIn(env)).toEqual([]);
  });

  it('looks through thousands of keys', async () => {
    const env = await isolatedServers();
    const events = Array.from({ length: 2000 }, () => accepted(11));
    await withRedis(env, async (redis) => {
      const pairs = events.map((event) => [
        `user:pending:${event.registration.email}`,
        JSON.stringify(event),
      ]);
      await redis.mset(...pairs.flat(), 'user:completed:a@example.com', '{}');
    });

    const { stdout } = await reconcile(env);

    expect(new Set(linesOf(stdout)).size).toBe(2001);
    expect(stdout).toContain('2000 pending keys: 2000 without a row');
  });

  it('fails with one line within seconds when a dependency is unavailable', async () => {
    const { env } = await setUp();
    const startedAt = performance.now();

    expect(await reconcile({ ...env, REDIS_URL: UNREACHABLE.REDIS_URL })).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Cannot reconcile: Redis is unavailable: .*ECONNREFUSED.*\n$/),
    });
    expect(await reconcile({ ...env, DB_HOST: '127.0.0.1', DB_PORT: '1' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot reconcile: PostgreSQL is unavailable: .*ECONNREFUSED.*\n$/),
    });
    expect(await reconcile({ ...env, KAFKA_BROKERS: UNREACHABLE.KAFKA_BROKERS }, '--publish')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot reconcile: Kafka did not confirm: .*ECONNREFUSED.*\n$/),
    });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await pendingKeys(env)).toContain('user:pending:broken@example.com');
  });

  it('is an entry point of its own', async () => {
    const { env } = await setUp();

    const { code, stdout } = await runEntryPoint('src/tools/reconcile.ts', env, ['--older-than', '5']);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^5 pending keys: 2 without a row/m);
  });

  it('says in one line what is wrong with the command line', async () => {
    expect(await reconcile({}, '--older-than soon')).toEqual({
      code: 2,
      stdout: '',
      stderr: '--older-than must be a number of minutes (--help shows how to use it)\n',
    });
    expect((await reconcile({}, '--help')).stdout).toMatch(/^Usage: npm run reconcile/);
  });
});

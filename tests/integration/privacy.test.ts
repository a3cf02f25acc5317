import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { emailDigest } from '../../src/domain/erasure';
import { UnavailableError } from '../../src/domain/errors';
import { PostgresExpiredUsers } from '../../src/postgres/expired-users';
import { WRITER_LOCK } from '../../src/postgres/insert-missing';
import { connectionOptions, PostgresPool } from '../../src/postgres/pool';
import { buildEvent, buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { createTopics, produce } from '../support/kafka-tools';
import { runEntryPoint } from '../support/service-process';
import { insertUser, isolatedServers, sql, UNREACHABLE, withRedis, type Env } from '../support/test-servers';
import { privacy } from '../support/tool-run';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
// KAFKA_RETENTION_DAYS, a segment of seven days, and a day.
const COPIES_DAYS = 38;

let env: Env;
beforeAll(async () => {
  env = await isolatedServers();
  await createTopics(env, { 'retention.ms': String(30 * DAY_MS) });
});

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const receiptsIn = (stdout: string) =>
  linesOf(stdout).map((line) => JSON.parse(line) as Record<string, unknown>);
const dayIn = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);

/** Rows of this age, with their caches. */
async function store(emails: readonly string[], ageMs: number): Promise<void> {
  await sql(
    env,
    `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at)
     SELECT 'John', 'Doe', email, 'male', 'male', 'Pilot', (now() - $2 * interval '1 ms') AT TIME ZONE 'UTC'
     FROM unnest($1::text[]) AS t(email)`,
    [emails, ageMs],
  );
  await withRedis(env, (redis) => redis.mset(emails.flatMap((email) => [`user:completed:${email}`, '{}'])));
}

const storedOf = async (emails: readonly string[]): Promise<unknown[]> =>
  (await sql(env, 'SELECT email FROM users WHERE email = ANY ($1::text[])', [emails])).map(
    ({ email }) => email,
  );
const cachedOf = (emails: readonly string[]): Promise<number> =>
  withRedis(env, (redis) => redis.exists(...emails.map((email) => `user:completed:${email}`)));
const erasuresOf = async (emails: readonly string[]): Promise<number> => {
  const digests = emails.map((email) => Buffer.from(emailDigest(email), 'hex'));
  return (await sql(env, 'SELECT FROM erasures WHERE email_sha256 = ANY ($1::bytea[])', [digests])).length;
};

/** `erase --stdin --yes` as a process of its own. */
function startErasing(emails: readonly string[]) {
  const args = ['--import', 'tsx', 'src/tools/privacy.ts', 'erase', '--stdin', '--yes'];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env } });
  child.stdin.end(emails.join('\n'));
  return child;
}

describe('privacy erase', () => {
  it('takes emails and digests in any order, names bad lines, and prints a receipt for each person', async () => {
    const [known, other, unknown] = [uniqueEmail(), uniqueEmail(), uniqueEmail()];
    await store([known, other], HOUR_MS);
    const lines = [
      `\uFEFF${known.toUpperCase()}`,
      '',
      `sha256:${emailDigest(other)}\r`,
      'secret-not-an-email',
      known,
      '{"digest":"sha256:1"}',
      unknown,
    ];

    const { code, stdout, stderr } = await privacy(env, 'erase --stdin --yes', lines.join('\n'));

    expect(code).toBe(1);
    const facts = {
      erasedAt: expect.stringMatching(/Z$/) as string,
      finished: true,
      kafkaCopiesEnd: dayIn(COPIES_DAYS),
    };
    expect(receiptsIn(stdout)).toHaveLength(3);
    expect(receiptsIn(stdout)).toEqual(
      expect.arrayContaining([
        { digest: `sha256:${emailDigest(known)}`, row: true, ...facts },
        { digest: `sha256:${emailDigest(other)}`, row: true, ...facts },
        { digest: `sha256:${emailDigest(unknown)}`, row: false, ...facts },
      ]),
    );
    expect(linesOf(stderr).filter((line) => !line.includes(', of '))).toEqual([
      'Line 4 is neither a valid email, a digest nor a receipt',
      'Line 6 is neither a valid email, a digest nor a receipt',
      '3 people erased, 2 with a row',
      'Cannot erase: 2 lines named above',
    ]);
    expect(stdout + stderr).not.toMatch(/@|secret/);
    expect(await storedOf([known, other])).toEqual([]);
    expect(await cachedOf([known, other])).toBe(0);
    expect(await erasuresOf([known, other, unknown])).toBe(3);
  });

  it('does nothing without --yes, and says what it would do', async () => {
    const [known, unknown] = [uniqueEmail(), uniqueEmail()];
    await store([known], HOUR_MS);

    const args = ['src/tools/privacy.ts', 'erase', known, unknown, `sha256:${emailDigest(known)}`];
    const { code, stdout } = await runEntryPoint('dev/with-dev-servers.ts', env, args);

    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '2 people would be erased, 1 with a row; --yes erases\n',
    });
    expect(await storedOf([known])).toEqual([known]);
    expect(await cachedOf([known])).toBe(1);
    expect(await erasuresOf([known, unknown])).toBe(0);
  });

  it('erases whom a receipt names again after a restore, and leaves alone who has registered anew since', async () => {
    const [restored, anew] = [uniqueEmail(), uniqueEmail()];
    const receipts = (await privacy(env, `erase ${restored} ${anew} --yes`)).stdout;
    await sql(env, 'DELETE FROM erasures');
    await store([restored], DAY_MS);
    await store([anew], 0);

    const { code, stdout, stderr } = await privacy(env, 'erase --stdin --yes', receipts);

    expect(code).toBe(0);
    const [of] = receiptsIn(receipts);
    expect(receiptsIn(stdout)).toEqual([{ ...of, row: true }]);
    expect(stderr).toContain(`newer than the receipt: sha256:${emailDigest(anew)}\n`);
    expect(stderr).toContain('1 person erased, 1 with a row, 1 left alone\n');
    expect(await storedOf([restored, anew])).toEqual([anew]);
  });

  it('waits for a row that is younger than 10 s', async () => {
    const email = uniqueEmail();
    await store([email], 7000);

    const { code, stdout, stderr } = await privacy(env, `erase ${email} --yes`);

    expect(code).toBe(0);
    expect(receiptsIn(stdout)).toMatchObject([{ row: true }]);
    expect(stderr).toContain('1 registered a moment ago: waiting');
    expect(await storedOf([email])).toEqual([]);
  });

  it('erases without Redis and Kafka, and nothing without PostgreSQL', async () => {
    const email = uniqueEmail();
    await store([email], HOUR_MS);
    const { DB_HOST, DB_PORT, REDIS_URL, KAFKA_BROKERS } = UNREACHABLE;

    const alone = await privacy({ ...env, DB_HOST, DB_PORT }, `erase ${email} --yes`);
    const rest = await privacy({ ...env, REDIS_URL, KAFKA_BROKERS }, `erase ${email} --yes`);

    expect(alone).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Cannot erase: PostgreSQL is unavailable: .*ECONNREFUSED.*\n$/),
    });
    expect(rest.code).toBe(0);
    expect(receiptsIn(rest.stdout)).toMatchObject([{ row: true, finished: false, kafkaCopiesEnd: null }]);
    expect(rest.stderr).toContain('Kafka is unavailable');
  });

  it('fails when its receipts cannot be written', async () => {
    const child = startErasing([uniqueEmail()]);
    child.stdout.destroy();
    const stderr = text(child.stderr);

    const [code] = (await once(child, 'exit')) as [number];

    expect(code).toBe(1);
    expect(await stderr).toContain('Cannot erase: not all receipts could be written: repeat it\n');
  });

  it('erases 10,000 people within a minute, after a stop in the middle, and holds up no writer for long', async () => {
    const emails = Array.from({ length: 10_000 }, () => uniqueEmail());
    await store(emails, HOUR_MS);
    const stopped = startErasing(emails);
    await once(stopped.stdout, 'data');
    stopped.kill('SIGINT');
    await once(stopped, 'exit');
    const left = await storedOf(emails);
    const lines = emails.map((email, index) => (index % 2500 === 0 ? `bad\n${email}` : email));
    const writer = watchWriterLock();
    const startedAt = performance.now();

    const { code, stdout, stderr } = await privacy(env, 'erase --stdin --yes', lines.join('\n'));

    const seconds = (performance.now() - startedAt) / 1000;
    const waitsMs = (await writer.stop()).sort((a, b) => b - a);
    expect(left.length).toBeGreaterThan(0);
    expect(code).toBe(1);
    expect(stderr.match(/^Line \d+/gm)).toEqual(['Line 1', 'Line 2502', 'Line 5003', 'Line 7504']);
    expect(new Set(receiptsIn(stdout).map(({ digest }) => digest)).size).toBe(10_000);
    expect(await storedOf(emails)).toEqual([]);
    expect(seconds).toBeLessThan(60);
    expect(waitsMs[Math.floor(waitsMs.length / 100)]).toBeLessThan(200);
  }, 120_000);
});

// Its wait by the server's clock: the test's own process may be busy.
const TAKE_WRITER_LOCK = `
  SELECT (extract(epoch FROM clock_timestamp() - asked) * 1000)::float8 AS ms
  FROM (SELECT clock_timestamp() AS asked, pg_advisory_xact_lock_shared(${WRITER_LOCK}) OFFSET 0) AS t`;

/** Takes the lock that writers share, again and again; stop() resolves to how long each time took. */
function watchWriterLock() {
  const client = new Client(connectionOptions(loadConfig(env).postgres));
  let isStopped = false;
  const waitsMs: number[] = [];
  const watch = async (): Promise<void> => {
    await client.connect();
    while (!isStopped) {
      const { rows } = await client.query<{ ms: number }>(TAKE_WRITER_LOCK);
      waitsMs.push(...rows.map(({ ms }) => ms));
    }
    await client.end();
  };
  const watching = watch();
  const stop = async (): Promise<number[]> => {
    isStopped = true;
    await watching;
    return waitsMs;
  };
  return { stop };
}

describe('privacy show', () => {
  it('shows the row, the keys, the dead letters and the erasure, and their ends', async () => {
    const { email, ...fields } = buildRegistration();
    await privacy(env, `erase ${email} --yes`);
    await insertUser(env, { email, ...fields });
    const event = buildEvent({ registration: { email, ...fields } });
    await withRedis(env, (redis) => redis.set(`user:pending:${email}`, JSON.stringify(event), 'EX', 3600));
    await withRedis(env, (redis) => redis.set(`user:failed:${email}`, 'unreadable'));
    await withRedis(env, (redis) => redis.set(`user:completed:${email}`, '{}', 'EX', 3600));
    const deadLetter = (firstName: string, acceptedAt: string) => ({
      key: email,
      value: JSON.stringify({ ...fields, email, firstName }),
      headers: { 'dead-letter-reason': 'conflict', 'accepted-at': acceptedAt },
    });
    const now = new Date().toISOString();
    await produce({ ...env, KAFKA_TOPIC: `${env['KAFKA_TOPIC']}.dlq` }, [
      deadLetter('Jane', now),
      deadLetter('Mallory', '2026-01-02T03:04:05.678Z'),
    ]);

    const { stdout } = await eventually(async () => {
      const run = await privacy({ ...env, KAFKA_EVENTS_TOPIC: 'users' }, `show ${email.toUpperCase()}`);
      // A new broker first loads what it knows of groups.
      expect(run).toMatchObject({ code: 0, stderr: expect.stringContaining('of 2 dead letters') as string });
      return run;
    });

    const report = JSON.parse(stdout) as { held: { where: string; until: string | null }[] };
    const topic = env['KAFKA_TOPIC'];
    expect(report).toEqual({
      email,
      at: expect.stringMatching(/Z$/) as string,
      held: [
        {
          where: 'PostgreSQL users',
          until: null,
          data: expect.objectContaining({ email, first_name: 'John' }) as object,
        },
        {
          where: 'PostgreSQL erasures',
          until: expect.stringContaining(dayIn(90)) as string,
          data: {
            digest: emailDigest(email),
            erasedAt: expect.stringMatching(/Z$/) as string,
            eventIds: [],
          },
        },
        {
          where: `Redis user:pending:${email}`,
          until: expect.stringMatching(/Z$/) as string,
          data: event,
        },
        {
          where: `Redis user:completed:${email}`,
          until: expect.stringMatching(/Z$/) as string,
          data: {},
        },
        { where: `Redis user:failed:${email}`, until: null, data: 'unreadable' },
        {
          where: `Kafka ${topic}.dlq 0:0`,
          until: expect.stringContaining(dayIn(COPIES_DAYS)) as string,
          data: expect.objectContaining({
            key: email,
            value: expect.stringContaining('Jane') as string,
          }) as object,
        },
        {
          where: `Kafka ${topic}.dlq 0:1`,
          until: expect.stringContaining(dayIn(COPIES_DAYS)) as string,
          data: expect.objectContaining({ id: '0:1', erased: true }) as object,
        },
      ],
      notRead: [
        { where: `Kafka ${topic}`, until: expect.stringContaining(dayIn(COPIES_DAYS)) as string },
        { where: 'Kafka users', until: null },
      ],
    });
    expect(stdout).not.toContain('Mallory');
  });

  it('fails rather than leave anything out', async () => {
    const { REDIS_URL, KAFKA_BROKERS } = UNREACHABLE;

    expect(await privacy({ ...env, REDIS_URL }, 'show a@example.com')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Cannot show: Redis is unavailable: .*\n$/),
    });
    expect(await privacy({ ...env, KAFKA_BROKERS }, 'show a@example.com')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Cannot show: Kafka is unavailable: .*\n$/),
    });
  });
});

describe('privacy expire', () => {
  it('with an events topic remembers every row, so that others are told that it is gone', async () => {
    const years = [uniqueEmail(), uniqueEmail()];
    await sql(env, 'DELETE FROM users');
    await store(years, 800 * DAY_MS);
    const ids = (await sql(env, 'SELECT id FROM users')).map(({ id }) => id);
    const command = `expire --created-before ${dayIn(-7)} --yes`;

    const done = await privacy({ ...env, KAFKA_EVENTS_TOPIC: 'user-events' }, command);

    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^2 rows deleted, 2 with an/) });
    const untold = await sql(env, 'SELECT unnest(user_ids)::int AS id FROM erasures');
    expect(untold.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
  });

  it('deletes older rows and their caches, with erasures only where Kafka may have copies', async () => {
    const years = Array.from({ length: 1100 }, () => uniqueEmail());
    const weeks = Array.from({ length: 150 }, () => uniqueEmail());
    const days = [uniqueEmail()];
    await sql(env, 'DELETE FROM users');
    await store(years, 800 * DAY_MS);
    await store(weeks, 14 * DAY_MS);
    await store(days, 6 * DAY_MS);
    const command = `expire --created-before ${dayIn(-7)}`;

    const would = await privacy(env, command);
    const untouched = await storedOf([...years, ...weeks]);
    const done = await privacy(env, `${command} --yes`);

    const counts = '150 with an erasure, since Kafka may have copies';
    expect(would).toMatchObject({
      code: 0,
      stdout: `1250 rows would be deleted, ${counts}; --yes deletes\n`,
    });
    expect(untouched).toHaveLength(1250);
    expect(done).toMatchObject({ code: 0, stdout: `1250 rows deleted, ${counts}\n` });
    expect(await storedOf([...years, ...weeks, ...days])).toEqual(days);
    expect(await cachedOf([...years, ...weeks])).toBe(0);
    expect(await cachedOf(days)).toBe(1);
    expect([await erasuresOf(years), await erasuresOf(weeks)]).toEqual([0, 150]);
  });

  it('keeps the rows whose caches cannot be deleted', async () => {
    const email = uniqueEmail();
    await store([email], 800 * DAY_MS);
    const log = { debug: () => undefined } as never;
    const pool = new PostgresPool({ config: loadConfig(env).postgres, state: { isUnavailable: false }, log });
    const deleting = new PostgresExpiredUsers(pool).deleteOldest(new Date('2025-11-01'), () =>
      Promise.reject(new UnavailableError('Redis is unavailable')),
    );

    await expect(deleting.finally(() => pool.stop())).rejects.toThrow('Redis is unavailable');

    expect(await storedOf([email])).toEqual([email]);
  });

  it('deletes nothing when Redis is unavailable, which would still answer', async () => {
    const email = uniqueEmail();
    await store([email], 800 * DAY_MS);

    const run = await privacy(
      { ...env, REDIS_URL: UNREACHABLE.REDIS_URL },
      'expire --created-before 2025-11-01 --yes',
    );

    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('Cannot expire: Redis is unavailable');
    expect(await storedOf([email])).toEqual([email]);
  });
});

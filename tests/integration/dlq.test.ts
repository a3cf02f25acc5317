import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import { CHECK_KEYS } from '../../src/redis/keys-and-lifetimes';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import {
  createTopics,
  deadLettersIn,
  drained,
  produce,
  produceInTransaction,
  recordsIn,
  withAdmin,
} from '../support/kafka-tools';
import { runEntryPoint } from '../support/service-process';
import { insertUser, isolatedServers, sql, UNREACHABLE, withRedis, type Env } from '../support/test-servers';
import { dlq } from '../support/tool-run';

const ID = /^\d+:\d+/m;

const topicOf = (env: Env): string => env['KAFKA_TOPIC'] ?? '';
/** The consumer groups of the service and of its tools. */
async function groupsOf(env: Env): Promise<string[]> {
  const { groups } = await withAdmin(env, (admin) => admin.listGroups());
  return groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(env['KAFKA_GROUP_ID'] ?? ''));
}

/** The offset after the last dead letter (or marker) in partition 0. */
const endOf = (env: Env): Promise<string | undefined> =>
  withAdmin(env, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(`${topicOf(env)}.dlq`);
    return offsets.find(({ partition }) => partition === 0)?.high;
  });

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

function recordOf(registration: Registration, eventId = 'e1'): Message {
  return {
    key: registration.email,
    value: JSON.stringify(registration),
    headers: { 'event-id': eventId, 'accepted-at': '2026-01-02T03:04:05.678Z', 'request-id': 'r1' },
  };
}

/** A dead letter as the service writes it. */
function deadLetterOf(registration: Registration, reason = 'conflict'): Message {
  const headers = {
    'dead-letter-reason': reason,
    'dead-letter-error': 'some problem',
    'source-topic': 'users',
    'source-partition': '2',
    'source-offset': '41',
  };
  return { ...recordOf(registration), headers: { ...recordOf(registration).headers, ...headers } };
}

/** Topics without a service, and these dead letters in partition 0. */
async function withDeadLetters(deadLetters: readonly Message[]): Promise<Env> {
  const env = await isolatedServers();
  await createTopics(env);
  if (deadLetters.length > 0) await produce({ ...env, KAFKA_TOPIC: `${topicOf(env)}.dlq` }, deadLetters);
  return env;
}

/** Produces by hand, without the API, and waits until the consumer has written it. */
async function write({ env }: TestService, messages: readonly Message[]): Promise<void> {
  await produce(env, messages);
  await drained(env);
}

const firstNameOf = async (env: Env, email: string): Promise<unknown> =>
  (await sql(env, 'SELECT first_name FROM users WHERE email = $1', [email]))[0]?.['first_name'];

describe('dlq list and show', () => {
  const john = buildRegistration({
    email: 'john.list@example.com',
    firstName: 'Johnny',
    lastName: 'Secretname',
  });
  const invalid: Message = { key: 'x', value: '{"firstName":"Secretname"}' };
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
    await write(service, [recordOf(john), recordOf({ ...john, firstName: 'Jane' }, 'e2'), invalid]);
  });

  it('lists the dead letters, one line each, without personal data', async () => {
    const { code, stdout, stderr } = await dlq(service.env, 'list');

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(linesOf(stdout)).toHaveLength(3);
    expect(stdout).toMatch(
      /^\d:\d +20\d\d-\S+Z {2}conflict {4}another registration of this email came first {2}from registration-\w+\/0:1$/m,
    );
    expect(stdout).toMatch(
      /^\d:\d +\S+ {2}invalid {5}Validation error: lastName is required {2}from \S+\/0:2$/m,
    );
    expect(stdout).toMatch(/^2 dead letters: (1 conflict, 1 invalid|1 invalid, 1 conflict)$/m);
    expect(stdout).not.toMatch(/Secretname|Johnny|Jane|john\.list|@/);
  });

  it('lists as JSON lines, the summary beside them', async () => {
    const { stdout, stderr } = await dlq(service.env, 'list --json --reason conflict');

    const [first, ...others] = linesOf(stdout).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(others).toEqual([]);
    expect(first).toEqual({
      id: expect.stringMatching(/^\d:\d+$/),
      writtenAt: expect.stringMatching(/Z$/),
      reason: 'conflict',
      error: 'another registration of this email came first',
      source: `${topicOf(service.env)}/0:1`,
    });
    expect(stderr).toBe('1 dead letter: 1 conflict\n');
  });

  it('shows all of one dead letter', async () => {
    const [id = ''] = ID.exec((await dlq(service.env, 'list --reason conflict')).stdout) ?? [];

    const { stdout } = await dlq(service.env, `show ${id}`);

    expect(JSON.parse(stdout)).toMatchObject({
      id,
      reason: 'conflict',
      key: john.email,
      value: JSON.stringify({ ...john, firstName: 'Jane' }),
      headers: { 'event-id': 'e2', 'dead-letter-reason': 'conflict', 'source-offset': '1' },
    });
    expect((await dlq(service.env, `list ${id} --json`)).stdout.trim().split('\n')).toHaveLength(1);
  });

  it('leave out whom the table says was erased, and say so; list does without PostgreSQL', async () => {
    const erased = buildRegistration();
    const env = await withDeadLetters([deadLetterOf(john), deadLetterOf(erased)]);
    await sql(
      env,
      `INSERT INTO erasures (email_sha256, erased_at, event_ids, requested_by)
       VALUES (sha256(convert_to($1, 'UTF8')), now(), '{}', 'dpo')`,
      [erased.email],
    );

    const list = await dlq(env, 'list');
    const show = await dlq(env, 'show 0:1');
    const alone = await dlq({ ...env, DB_HOST: '127.0.0.1', DB_PORT: '1' }, 'list');
    const replay = await dlq(env, 'replay --dry-run');

    expect(list).toMatchObject({ code: 0, stderr: 'Left out: 1 of people who were erased after them\n' });
    expect(list.stdout).toMatch(/^0:0 .*\n1 dead letter: 1 conflict\n$/);
    expect(show).toMatchObject({ code: 1, stdout: '' });
    expect(show.stderr).toContain('the person of dead letter 0:1 was erased after it');
    expect(alone.stdout).toContain('2 dead letters');
    expect(alone.stderr).toContain('PostgreSQL is unavailable');
    expect(replay.stdout).toMatch(/^0:1 {2}erased$/m);
    expect(replay.stdout).toContain('skipped 1 erased: the person was erased after it was accepted');
  });

  it('leaves no consumer group', async () => {
    await dlq(service.env, 'list');

    expect(await groupsOf(service.env)).toEqual([service.env['KAFKA_GROUP_ID']]);
  });

  it('fails with one line for an id that is not there', async () => {
    expect(await dlq(service.env, 'show 2:99')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Cannot show: there is no dead letter 2:99\n',
    });
  });
});

describe('dlq list', () => {
  it('shows bytes that are no text as base64', async () => {
    const env = await withDeadLetters([
      { key: null, value: Buffer.from([0xff, 0]), headers: { odd: ['a', 'b'] } },
    ]);

    const { stdout } = await dlq(env, 'show 0:0');

    expect(JSON.parse(stdout)).toMatchObject({
      reason: '?',
      key: null,
      value: { base64: '/wA=' },
      headers: { odd: ['a', 'b'] },
    });
  });

  it('reads hundreds, and ends at a transaction’s marker', async () => {
    const many = Array.from({ length: 450 }, () => deadLetterOf(buildRegistration()));
    const env = await withDeadLetters(many);
    await produceInTransaction(env, `${topicOf(env)}.dlq`, [deadLetterOf(buildRegistration(), 'unstorable')]);
    // The broker writes the marker by itself, after it has confirmed the commit.
    await eventually(async () => expect(await endOf(env)).toBe('452'));

    const { code, stdout } = await dlq(env, 'list --json');

    expect(code).toBe(0);
    expect(new Set(linesOf(stdout)).size).toBe(451);
  });

  it('finds nothing in empty partitions', async () => {
    const env = await withDeadLetters([]);

    expect(await dlq(env, 'list')).toEqual({ code: 0, stdout: '0 dead letters\n', stderr: '' });
    expect(await dlq(env, 'replay')).toMatchObject({ stdout: '0 dead letters: 0 sent, 0 skipped\n' });
    expect(await dlq(env, 'purge --all --yes')).toMatchObject({ stdout: '0 dead letters deleted\n' });
  });
});

describe('dlq replay', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });

  it('turns dead letters into rows, once, and skips what can become none, however often it is repeated', async () => {
    const { env } = service;
    const [lost, kept] = [buildRegistration({ firstName: 'Lost' }), buildRegistration({ firstName: 'Kept' })];
    const loserOf = (winner: Registration): Message => recordOf({ ...winner, firstName: 'Loser' });
    await write(service, [
      recordOf(lost),
      loserOf(lost),
      recordOf(kept),
      loserOf(kept),
      { key: 'x', value: '{}' },
    ]);
    await sql(env, 'DELETE FROM users WHERE email = $1', [lost.email]);
    expect(await deadLettersIn(env)).toHaveLength(3);

    const first = await dlq(env, 'replay');
    await drained(env);
    const second = await dlq(env, 'replay');
    await drained(env);
    const third = await dlq(env, 'replay');

    expect(first.code).toBe(0);
    expect(linesOf(first.stdout)).toEqual([
      'skipped 1 conflict: the email has a row with other fields, and nothing is overwritten',
      'skipped 1 invalid: this version of the service would reject it again',
      '3 dead letters: 1 sent, 2 skipped',
    ]);
    expect(linesOf(second.stdout)).toEqual([
      'skipped 1 stored: the row has these very fields',
      'skipped 1 conflict: the email has a row with other fields, and nothing is overwritten',
      'skipped 1 invalid: this version of the service would reject it again',
      '3 dead letters: 0 sent, 3 skipped',
    ]);
    expect(third.stdout).toBe(second.stdout);
    expect(await firstNameOf(env, lost.email)).toBe('Loser');
    expect(await firstNameOf(env, kept.email)).toBe('Kept');
    expect(await deadLettersIn(env)).toHaveLength(3);
    expect(await withRedis(env, (redis) => redis.keys('user:pending:*'))).toEqual([]);
    const [replayed] = (await recordsIn(env)).filter(({ headers }) => headers['dead-letter-replay-of']);
    expect(replayed).toEqual({
      key: lost.email,
      value: loserOf(lost).value,
      headers: {
        'event-id': 'e1',
        'accepted-at': '2026-01-02T03:04:05.678Z',
        'request-id': 'r1',
        'dead-letter-replay-of': expect.stringMatching(/^\d:\d+$/),
      },
    });
  });

  it('marks a dead letter that failed again, and frees its email', async () => {
    const { env } = service;
    await dlq(env, 'purge --all --yes');
    const bad = buildRegistration({ firstName: 'Eve' });
    await sql(env, "ALTER TABLE users ADD CONSTRAINT no_eve CHECK (first_name <> 'Eve')");
    await write(service, [recordOf(bad)]);

    await dlq(env, 'replay --reason unstorable');
    await drained(env);

    const { stdout } = await dlq(env, 'list');
    const [id = ''] = ID.exec(stdout) ?? [];
    expect(stdout).toMatch(new RegExp(`unstorable.* \\(replay of ${id}\\)$`, 'm'));
    expect(stdout).toMatch(/^2 dead letters: 2 unstorable$/m);
    expect(await withRedis(env, (redis) => redis.exists(`user:pending:${bad.email}`))).toBe(0);

    await sql(env, 'ALTER TABLE users DROP CONSTRAINT no_eve');
    expect((await dlq(env, 'replay')).stdout).toContain('2 dead letters: 1 sent, 1 skipped');
    await drained(env);
    expect(await firstNameOf(env, bad.email)).toBe('Eve');
    expect(await deadLettersIn(env)).toHaveLength(2);
  });
});

describe('dlq replay without a consumer', () => {
  it('sends only what the filter selects', async () => {
    const [a, b] = [buildRegistration(), buildRegistration()];
    const env = await withDeadLetters([
      deadLetterOf(a),
      deadLetterOf(b),
      deadLetterOf(buildRegistration(), 'unstorable'),
    ]);

    const { stdout } = await dlq(env, 'list 0:2 0:0 --json');
    expect(stdout.match(/"id":"[\d:]+"/g)).toEqual(['"id":"0:0"', '"id":"0:2"']);
    await dlq(env, `replay --email ${a.email}`);
    await dlq(env, 'replay 0:1');

    expect((await recordsIn(env)).map(({ key }) => key).sort()).toEqual([a.email, b.email].sort());
  });

  it('says in a dry run what it would do, and changes nothing', async () => {
    const [free, held, stored] = [buildRegistration(), buildRegistration(), buildRegistration()];
    const env = await withDeadLetters([
      ...[free, held, stored].map((each) => deadLetterOf(each)),
      { value: '{}' },
    ]);
    await insertUser(env, stored);
    const entry = JSON.stringify({
      eventId: 'e9',
      acceptedAt: 'x',
      registration: { ...held, firstName: 'Jo' },
    });
    await withRedis(env, (redis) => redis.set(`user:pending:${held.email}`, entry));

    const { code, stdout } = await dlq(env, 'replay --dry-run');

    expect(code).toBe(0);
    expect(linesOf(stdout)).toEqual([
      '0:0  would be sent',
      '0:1  pending',
      '0:2  stored',
      '0:3  invalid',
      'skipped 1 stored: the row has these very fields',
      'skipped 1 invalid: this version of the service would reject it again',
      'skipped 1 pending: another registration of the email is in flight',
      '4 dead letters: 1 would be sent, 3 skipped',
    ]);
    expect(await recordsIn(env)).toEqual([]);
    const keys = await withRedis(env, (redis) => redis.keys('*'));
    expect(keys.filter((key) => !CHECK_KEYS.includes(key))).toEqual([`user:pending:${held.email}`]);
  });

  it('reports its progress when it is cut short', async () => {
    const invalid = Array.from({ length: 200 }, () => ({ value: '{}' }));
    const stored = buildRegistration();
    const env = await withDeadLetters([...invalid, deadLetterOf(stored)]);
    await insertUser(env, stored);
    await sql(
      env,
      `ALTER TABLE users RENAME TO users_away;
       CREATE FUNCTION fail(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'unreadable'; END $$;
       CREATE VIEW users AS SELECT id, fail(first_name) AS first_name, last_name, email, gender, sex, occupation, created_at,
         updated_at FROM users_away`,
    );

    const { code, stdout, stderr } = await dlq(env, 'replay');

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(linesOf(stderr)).toEqual([
      'read 200 of 201: 200 dead letters: 0 sent, 200 skipped',
      'Cut short after 200 dead letters: 0 sent, 200 skipped; it is safe to repeat',
      expect.stringMatching(/^Cannot replay: .*P0001/),
    ]);
    expect(await groupsOf(env)).toEqual([]);
  });
});

describe('dlq purge', () => {
  it('deletes nothing without --yes, then what is older than the time, then all', async () => {
    const day = 24 * 60 * 60 * 1000;
    const [old, recent] = [String(Date.now() - 3 * day), String(Date.now() - day)];
    const env = await withDeadLetters([
      { ...deadLetterOf(buildRegistration()), timestamp: old },
      { ...deadLetterOf(buildRegistration()), timestamp: recent },
      deadLetterOf(buildRegistration()),
    ]);
    const before = new Date(Date.now() - 2 * day).toISOString();

    expect(await dlq(env, `purge --before ${before}`)).toEqual({
      code: 0,
      stdout: 'partition 0: offsets 0 to 0\n1 dead letter would be deleted; --yes deletes\n',
      stderr: '',
    });
    expect(await deadLettersIn(env)).toHaveLength(3);
    expect((await dlq(env, `purge --before ${before} --yes`)).stdout).toBe(
      'partition 0: offsets 0 to 0\n1 dead letter deleted\n',
    );
    expect((await dlq(env, 'list --json')).stdout.match(/"id":"0:\d"/g)).toEqual([
      '"id":"0:1"',
      '"id":"0:2"',
    ]);
    expect((await dlq(env, 'purge --all --yes')).stdout).toContain('2 dead letters deleted\n');
    expect(await dlq(env, 'list')).toMatchObject({ stdout: '0 dead letters\n' });
  });
});

describe('dlq', () => {
  it('fails with one line within seconds when a dependency is unavailable', async () => {
    const env = await withDeadLetters([deadLetterOf(buildRegistration())]);
    const startedAt = performance.now();

    expect(await dlq(UNREACHABLE, 'list')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Cannot list: Kafka failed: .*ECONNREFUSED.*\n$/),
    });
    expect(await dlq({ ...env, KAFKA_BROKERS: UNREACHABLE.KAFKA_BROKERS }, 'replay')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot replay: Kafka failed: .*ECONNREFUSED.*\n$/),
    });
    expect(await dlq({ ...env, REDIS_URL: UNREACHABLE.REDIS_URL }, 'replay')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot replay: Redis is unavailable: .*ECONNREFUSED.*\n$/),
    });
    expect(await dlq({ ...env, DB_HOST: '127.0.0.1', DB_PORT: '1' }, 'replay')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot replay: PostgreSQL is unavailable: .*ECONNREFUSED.*\n$/),
    });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await recordsIn(env)).toEqual([]);
  });

  it('fails with one line when there is no topic yet', async () => {
    const env = await isolatedServers();

    expect(await dlq(env, 'list')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(`^Cannot list: the topic ${topicOf(env)}.dlq does not exist`),
    });
  });

  it('fails with one line for bad settings and for a bad command line', async () => {
    expect(await dlq({ DB_PORT: 'x' }, 'list')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Bad configuration: DB_PORT must be a number\n',
    });
    expect(await dlq({}, 'list --reason none')).toEqual({
      code: 2,
      stdout: '',
      stderr: '--reason must be one of conflict, invalid, unstorable (--help shows how to use it)\n',
    });
  });

  it('is an entry point of its own, as npm run starts it', async () => {
    const env = await withDeadLetters([deadLetterOf(buildRegistration({ email: uniqueEmail() }))]);

    const args = ['src/tools/dlq.ts', 'list'];
    expect(await runEntryPoint('dev/with-dev-servers.ts', env, args)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^1 dead letter: 1 conflict$/m),
      stderr: '',
    });
    expect((await dlq({}, '--help')).stdout).toMatch(/^Usage: npm run dlq/);
  });
});

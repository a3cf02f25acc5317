import { runInNewContext } from 'node:vm';
import type { Consumer } from 'kafkajs';
import ts from 'typescript';
import type { User } from '../../src/domain/stored-user';
import { problemsOf } from '../support/asyncapi-document';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { deadLettersIn, drained, produce, recordsIn } from '../support/kafka-tools';
import { blocks, readPage } from '../support/readme';
import { runEntryPoint } from '../support/service-process';
import { isolatedServers, sql, UNREACHABLE, type Env } from '../support/test-servers';
import { events } from '../support/tool-run';
import { expectTopicIsTable, userEventsIn, usersTable } from '../support/user-events';

type FollowUsers = (brokers: string[], topic: string, users: Map<string, User>) => Promise<Consumer>;

const [EXAMPLE = 'no example'] = blocks('ts', readPage('docs/events.md'));
const INSERT_SEED = `
  INSERT INTO users (first_name, last_name, email, gender, sex, occupation)
  SELECT 'John', 'Doe', 'seed-' || n || '@example.com', 'male', 'male', 'Clerk' FROM generate_series(1, 601) n`;

/** The consumer of docs/events.md. */
function loadExample(): FollowUsers {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(EXAMPLE, { compilerOptions });
  const exported: { followUsers?: FollowUsers } = {};
  runInNewContext(outputText, { exports: exported, require });
  if (exported.followUsers === undefined) throw new Error('docs/events.md exports no followUsers');
  return exported.followUsers;
}

let service: TestService;
let env: Env;

beforeAll(async () => {
  const servers = await isolatedServers();
  const topic = `${servers['KAFKA_TOPIC'] ?? ''}.events`;
  service = await startService({ ...servers, KAFKA_EVENTS_TOPIC: topic }, { sweepIntervalMs: 100 });
  ({ env } = service);
});

describe('the records of all topics', () => {
  it('are as docs/asyncapi.yaml says', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const registration = buildRegistration({ firstName: 'Zoë', lastName: 'Q'.repeat(100) });
    const { email } = registration;
    await service.http.post('/api/users').send(registration).expect(201);
    const traced = buildRegistration();
    await produce(env, [
      { key: traced.email, value: JSON.stringify(traced), headers: { traceparent } },
      { key: email, value: JSON.stringify({ ...registration, lastName: 'Loser' }), partition: 1 },
      { key: 'no email', value: 'no JSON' },
    ]);
    await drained(env);
    const [{ id } = { id: 0 }] = await usersTable(env);
    await sql(
      env,
      `INSERT INTO erasures (email_sha256, erased_at, event_ids, requested_by, user_ids) VALUES ('', now(), '{}', 'cli', $1)`,
      [[Number(id) + 1000]],
    );
    await eventually(async () => expect(await userEventsIn(env)).toHaveLength(3));

    const [sent = { key: '', value: '', headers: {} }] = (await recordsIn(env)).filter(
      ({ headers }) => 'request-id' in headers,
    );
    const deadLetters = await deadLettersIn(env);
    const published = await userEventsIn(env);
    const [registered, erased] = [true, false].map((isRow) =>
      published.filter(({ value }) => (value !== undefined) === isRow),
    );

    expect(problemsOf('registration', sent)).toEqual([]);
    expect(deadLetters.flatMap((record) => problemsOf('deadLetter', record))).toEqual([]);
    expect(deadLetters).toHaveLength(2);
    expect(registered?.flatMap((record) => problemsOf('userRegistered', record))).toEqual([]);
    expect(erased?.flatMap((record) => problemsOf('userErased', record))).toEqual([]);
    expect(erased).toHaveLength(1);
    expect(registered?.map(({ headers }) => headers['traceparent'])).toContain(traceparent);
    const metrics = await (await fetch(`${service.metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(/^registration_events_total\{type="registered"\} 2$/m);
    expect(metrics).toMatch(/^registration_events_total\{type="erased"\} 1$/m);
  });
});

describe('events backfill', () => {
  it('publishes every row, and those from an id on', async () => {
    await sql(env, INSERT_SEED);
    const rows = await usersTable(env);
    const before = (await userEventsIn(env)).length;

    const all = await events(env, 'backfill');
    const records = await expectTopicIsTable(env);
    const last = await events(env, `backfill --from-id ${Number(rows.at(-3)?.['id'])}`);

    expect(all).toMatchObject({ code: 0, stdout: `${rows.length} users published\n` });
    expect(all.stderr).toContain('500 users, next id ');
    expect(records).toHaveLength(before + rows.length);
    expect(last).toMatchObject({ code: 0, stdout: '3 users published\n' });
  });

  it('says the id to go on from when it is cut short', async () => {
    const first = Number((await usersTable(env))[0]?.['id']);
    const { DB_HOST, DB_PORT, KAFKA_BROKERS } = UNREACHABLE;

    const noKafka = await events({ ...env, KAFKA_BROKERS }, `backfill --from-id ${first}`);
    const noPostgres = await events({ ...env, DB_HOST, DB_PORT }, 'backfill');

    expect(noKafka).toMatchObject({ code: 1, stdout: '' });
    expect(noKafka.stderr).toContain(`Cut short after 0 users: go on with --from-id ${first}\n`);
    expect(noKafka.stderr).toContain('Cannot backfill: Kafka did not confirm');
    expect(noPostgres.stderr).toMatch(/^Cut short after 0 users\nCannot backfill: /);
  });

  it('stops after a page at a signal, and goes on from the id that it says', async () => {
    const stop = new AbortController();
    const rows = await usersTable(env);

    const cut = await events(env, 'backfill', () => stop.abort(), stop.signal);
    const [, done = '', next = ''] = /after (\d+) users: go on with --from-id (\d+)\n/.exec(cut.stderr) ?? [];
    const rest = await events(env, `backfill --from-id ${next}`);

    expect(cut).toMatchObject({ code: 1, stdout: '' });
    expect(cut.stderr).toContain('Cannot backfill: stopped by a signal');
    expect(Number(done)).toBeGreaterThan(0);
    expect(rest.stdout).toBe(`${rows.length - Number(done)} users published\n`);
  });

  it('needs a topic', async () => {
    const { code, stderr } = await events({ ...env, KAFKA_EVENTS_TOPIC: '' }, 'backfill');

    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'Cannot backfill: KAFKA_EVENTS_TOPIC is not set\n',
    });
  });

  it('is a program', async () => {
    const { code, stdout } = await runEntryPoint('src/tools/events.ts', env, ['--help']);

    expect(code).toBe(0);
    expect(stdout).toContain('Usage: npm run events -- <command>');
  });
});

describe('the consumer of docs/events.md', () => {
  it('has the table, and follows it', async () => {
    const { KAFKA_BROKERS: brokers = '', KAFKA_EVENTS_TOPIC: topic = '' } = env;
    const users = new Map<string, User>();
    const registration = buildRegistration();

    const consumer = await loadExample()(brokers.split(','), topic, users);
    try {
      await service.http.post('/api/users').send(registration).expect(201);
      await eventually(async () => {
        const sorted = [...users.values()].sort((a, b) => a.id - b.id);
        expect(sorted).toEqual(await usersTable(env));
        expect(sorted.map(({ email }) => email)).toContain(registration.email);
      });
      const [gone] = users.values();
      await sql(
        env,
        `WITH gone AS (DELETE FROM users WHERE id = $1 RETURNING email, id)
         INSERT INTO erasures (email_sha256, erased_at, event_ids, requested_by, user_ids)
         SELECT sha256(convert_to(email, 'UTF8')), now(), '{}', 'cli', ARRAY[id] FROM gone`,
        [gone?.id],
      );
      await eventually(() => expect(users.has(String(gone?.id))).toBe(false));
    } finally {
      await consumer.disconnect();
    }

    expect(users.size).toBe((await usersTable(env)).length);
  });
});

import { createHash } from 'node:crypto';
import type { Message } from 'kafkajs';
import { loadConfig } from '../../src/config/config';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/stored-user';
import { createKafka } from '../../src/kafka/client';
import { KafkaProducer } from '../../src/kafka/producer';
import { KafkaUserEvents } from '../../src/kafka/user-events';
import { WRITER_LOCK } from '../../src/postgres/insert-missing';
import { buildRegistration, buildUser } from '../support/builders';
import { eventually } from '../support/eventually';
import { RecordingMetrics } from '../support/fakes/metrics';
import { startService, startUnready, type TestService } from '../support/harness';
import { holdLock } from '../support/held-lock';
import { alterTopic, drained, lag, produce, withAdmin, type ReadRecord } from '../support/kafka-tools';
import { RecordingLogger } from '../support/recording-logger';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, type Env } from '../support/test-servers';
import { events } from '../support/tool-run';
import { compacted, expectTopicIsTable, userEventsIn, usersTable } from '../support/user-events';

// Each with several processes, one after the other.
jest.setTimeout(60_000);

const ADMIN_API_KEYS = `dpo:${createHash('sha256').update('secret').digest('hex')}`;

const isolated = async (): Promise<Env> => {
  const env = await isolatedServers();
  return { ...env, KAFKA_EVENTS_TOPIC: `${env['KAFKA_TOPIC'] ?? ''}.events` };
};

const recordOf = (registration: Registration, index: number): Message => ({
  key: registration.email,
  value: JSON.stringify(registration),
  partition: index % 3,
});

const buildMany = (count: number): Registration[] => Array.from({ length: count }, () => buildRegistration());

/** Good ones, and for every tenth a conflict and an invalid record. */
function mixed(registrations: readonly Registration[]): Message[] {
  return registrations.flatMap((registration, index) => {
    const good = recordOf(registration, index);
    const lost = recordOf({ ...registration, lastName: 'Loser' }, index);
    return index % 10 === 0 ? [good, lost, { ...good, value: '{}' }] : [good];
  });
}

const idsOf = (records: readonly ReadRecord[]): unknown[] =>
  [...new Set(records.map(({ headers }) => headers['ce_id']))].sort();

const countRows = async (env: Env): Promise<number> => (await usersTable(env)).length;

/** How large a record the events topic takes. */
const limitEvents = ({ KAFKA_EVENTS_TOPIC: topic = '', ...env }: Env, bytes: number): Promise<void> =>
  alterTopic(
    { ...env, KAFKA_TOPIC: topic },
    { 'cleanup.policy': 'compact', 'max.message.bytes': `${bytes}` },
  );

describe('the events topic', () => {
  it('is the table after a kill between INSERT and event, and nothing but the table', async () => {
    const env = await isolated();
    const first = await ServiceProcess.start(env);
    await limitEvents(env, 100);
    await produce(env, mixed(buildMany(30)));
    await eventually(async () => expect(await countRows(env)).toBe(30));
    const uncommitted = await lag(env);
    first.signal('SIGKILL');
    await first.exited;
    const before = await userEventsIn(env);

    await limitEvents(env, 1_000_000);
    const second = await startUnready(env);
    await drained(env);

    const records = await expectTopicIsTable(env);
    expect(before).toEqual([]);
    expect(uncommitted).toBe(36);
    expect(records).toHaveLength(30);
    expect(records.filter(({ value }) => value?.includes('Loser'))).toEqual([]);
    await second.stop();
  });

  it('is the table after a rebalance in the middle of a batch, and has the same ids when all is read again', async () => {
    const env = await isolated();
    const first = await startService(env);
    const lock = await holdLock(env, `SELECT pg_advisory_lock(${WRITER_LOCK})`);
    await produce(env, mixed(buildMany(300)));
    await lock.untilSomeoneWaits();
    const second = await startUnready(env);
    await eventually(() => second.http.get('/api/health/ready').expect(200));

    const stopping = first.stop();
    await produce(env, mixed(buildMany(300)));
    const uncommitted = await lag(env);
    await lock.release();
    await stopping;
    await drained(env);

    expect(uncommitted).toBe(720);
    const records = await expectTopicIsTable(env);
    await second.stop();
    const { KAFKA_GROUP_ID: groupId = '', KAFKA_TOPIC: topic = '' } = env;
    await withAdmin(env, (admin) => admin.resetOffsets({ groupId, topic, earliest: true }));
    const third = await startUnready(env);
    await drained(env);

    const again = await expectTopicIsTable(env);
    expect(compacted(again)).toHaveLength(600);
    expect(again.length).toBeGreaterThan(records.length);
    expect(idsOf(again)).toEqual(idsOf(records));
    await third.stop();
  });
});

describe('the events topic, beside erasures', () => {
  let service: TestService;
  const sweepsAgain = (): Promise<unknown> => sql(service.env, 'UPDATE erasures SET announce_at = now()');

  beforeAll(async () => {
    service = await startService({ ...(await isolated()), ADMIN_API_KEYS }, { sweepIntervalMs: 100 });
  });

  async function storeOld(count: number): Promise<Registration[]> {
    const registrations = buildMany(count);
    await produce(service.env, registrations.map(recordOf));
    await drained(service.env);
    await sql(service.env, `UPDATE users SET created_at = created_at - interval '1 minute'`);
    return registrations;
  }

  const erase = async ({ email }: Registration): Promise<void> => {
    await service.http.delete(`/api/users/${email}`).set({ Authorization: 'Bearer secret' }).expect(200);
  };

  it('ends with null, also of what comes behind it from a batch that was under way', async () => {
    const { env } = service;
    const [erased = buildRegistration()] = await storeOld(2);
    const user =
      compacted(await userEventsIn(env)).find(({ email }) => email === erased.email) ?? buildUser();
    const lastWord = async (): Promise<string | undefined> =>
      (await userEventsIn(env)).findLast(({ key }) => key === String(user.id))?.headers['ce_id'];
    await erase(erased);
    await eventually(async () => expect(await lastWord()).toBe(`user-${user.id}-erased`));

    await publishBeside(env, user);
    const meanwhile = await lastWord();
    await sweepsAgain();

    expect(meanwhile).toBe(`user-${user.id}-registered`);
    await eventually(async () => expect(await lastWord()).toBe(`user-${user.id}-erased`));
  });

  it('is the table when people were erased beside a backfill, and one registered anew', async () => {
    const { env } = service;
    await sql(
      env,
      `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at)
       SELECT 'John', 'Doe', 'seed-' || n || '@example.com', 'male', 'male', 'Clerk', '2020-01-01' FROM generate_series(1, 3000) n`,
    );
    const victims = [...(await storeOld(10)), ...buildMany(30)];
    victims
      .slice(10)
      .forEach((victim, n) => Object.assign(victim, { email: `seed-${n * 100 + 1}@example.com` }));

    const backfilling = events(env, 'backfill');
    for (const victim of victims) await erase(victim);
    const anew = { ...(victims[0] ?? buildRegistration()), firstName: 'Anew' };
    await service.http.post('/api/users').send(anew).expect(201);
    const { code } = await backfilling;
    await drained(env);
    await eventually(async () => {
      await sweepsAgain();
      await expectTopicIsTable(env);
    });

    expect(code).toBe(0);
    expect(compacted(await userEventsIn(env)).filter(({ email }) => email === anew.email)).toEqual([
      expect.objectContaining({ first_name: 'Anew' }),
    ]);
  });
});

/** As another process does it that has read the row before. */
async function publishBeside(env: Env, user: User): Promise<void> {
  const { kafka } = loadConfig(env);
  const log = new RecordingLogger();
  const producer = new KafkaProducer(createKafka(kafka, log), log);
  const deps = { producer, topic: kafka.eventsTopic ?? '', metrics: new RecordingMetrics() };
  await new KafkaUserEvents(deps).registered([{ user }], performance.now());
  await producer.stop();
}

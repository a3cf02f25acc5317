import { Redis } from 'ioredis';
import { withAdmin } from '../../../tests/support/kafka-tools';
import { sql } from '../../../tests/support/test-servers';
import { changeTopic } from '../change-topic';
import { topic } from '../inspect';
import type { Scenario, Stage } from '../scenario';

const holdSeconds = 10;

/** PostgreSQL rejects every registration: each has to wait, none may become a dead letter. */
const postgresChanges: readonly {
  readonly name: string;
  readonly title: string;
  readonly change: string;
  readonly undo: string;
}[] = [
  {
    name: 'postgres-column-added',
    title: 'another team adds a NOT NULL column without a default, and drops it after 10 s',
    change: `ALTER TABLE users ADD COLUMN tenant TEXT NOT NULL DEFAULT 'none'; ALTER TABLE users ALTER COLUMN tenant DROP DEFAULT`,
    undo: 'ALTER TABLE users DROP COLUMN tenant',
  },
  {
    name: 'postgres-ids-used-up',
    title: 'the sequence of the ids is at its end for 10 s',
    change: `CREATE TABLE sequence_before AS SELECT last_value FROM users_id_seq;
      SELECT setval('users_id_seq', 2147483647)`,
    undo: `SELECT setval('users_id_seq', (SELECT last_value FROM sequence_before)); DROP TABLE sequence_before`,
  },
  {
    name: 'postgres-unique-index-lost',
    title: 'the unique index on email is dropped, and made again after 10 s',
    change: 'ALTER TABLE users DROP CONSTRAINT users_email_key',
    undo: 'ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email)',
  },
  {
    name: 'postgres-trigger-rejects',
    title: 'a trigger rejects every row for 10 s',
    change: triggerWith(`RAISE EXCEPTION 'closed for maintenance'`),
    undo: 'DROP TRIGGER set_up ON users',
  },
  {
    name: 'postgres-trigger-slow',
    title: 'a trigger takes 60 ms for each row, for 10 s: a batch of 200 takes longer than a statement may',
    change: triggerWith('PERFORM pg_sleep(0.06)'),
    undo: 'DROP TRIGGER set_up ON users',
  },
];

function triggerWith(action: string): string {
  return `CREATE OR REPLACE FUNCTION set_up() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN ${action}; RETURN NEW; END $$;
    CREATE TRIGGER set_up BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION set_up()`;
}

/** Servers whose set-up is changed while the service runs, as administrators do it, and mended again. */
export const setUpScenarios: readonly Scenario[] = [
  ...postgresChanges.map(({ name, title, change, undo }): Scenario => ({
    name,
    title: `PostgreSQL: ${title}`,
    tolerates: [],
    isRepeatable: true,
    async run({ bed }) {
      await sql(bed.env, change);
      await bed.hold(holdSeconds);
      await sql(bed.env, undo);
    },
  })),
  {
    name: 'redis-full',
    title: 'Redis: its maxmemory is reached for 10 s: it rejects every write',
    tolerates: ['conflicts'],
    isRepeatable: true,
    run: (stage) =>
      changeRedis(stage, ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']),
  },
  {
    name: 'redis-rights-revoked',
    title: 'Redis: the service’s user may not write for 10 s',
    tolerates: ['conflicts'],
    isRepeatable: true,
    run: (stage) =>
      changeRedis(stage, ['ACL', 'SETUSER', 'default', '-set'], ['ACL', 'SETUSER', 'default', '+set']),
  },
  {
    name: 'kafka-small-batches',
    title: 'Kafka: the topic takes batches of 20 kB only, and freezes for 2 s: what waits has to go in parts',
    tolerates: [],
    isRepeatable: true,
    async run({ bed }) {
      const undo = await changeTopic(bed.env, { 'max.message.bytes': '20000' });
      await bed.kafka.process.freeze();
      await bed.hold(2);
      await bed.kafka.process.thaw();
      await bed.hold(holdSeconds);
      await undo();
    },
  },
  {
    name: 'kafka-partitions-added',
    title: 'Kafka: the topic gets three more partitions, and keeps them',
    tolerates: [],
    async run({ bed }) {
      await withAdmin(bed.env, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 6 }] }));
      await bed.hold(40);
    },
  },
];

async function changeRedis({ bed }: Stage, change: Command, undo: Command): Promise<void> {
  const redis = new Redis(bed.env['REDIS_URL'] ?? '');
  await redis.call(...change);
  await bed.hold(holdSeconds);
  await redis.call(...undo);
  redis.disconnect();
}

type Command = [string, ...string[]];

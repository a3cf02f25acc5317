import { ConfigResourceTypes, Kafka, logLevel, type Admin, type Message } from '../../src/kafka/kafkajs';
import { eventually } from './eventually';
import type { Env } from './test-servers';

/** A record as a test reads it back. */
export interface ReadRecord {
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

function kafkaOf(env: Env): Kafka {
  return new Kafka({ brokers: (env['KAFKA_BROKERS'] ?? '').split(','), logLevel: logLevel.NOTHING });
}

/** Sends records by hand, in order, to partition 0 unless told otherwise. */
export async function produce(env: Env, messages: readonly Message[]): Promise<void> {
  const producer = kafkaOf(env).producer({
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  await producer.connect();
  try {
    await producer.send({ topic: env['KAFKA_TOPIC'] ?? '', messages: [...messages] });
  } finally {
    await producer.disconnect();
  }
}

/** Sends to partition 0 in a transaction: its marker then follows the records, at an offset of its own. */
export async function produceInTransaction(
  env: Env,
  topic: string,
  messages: readonly Message[],
): Promise<void> {
  const producer = kafkaOf(env).producer({
    transactionalId: `transaction-${topic}`,
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: () => () => 0,
  });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [...messages] });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
}

/** Every record that a topic holds now. */
export async function readAll(env: Env, topic: string): Promise<ReadRecord[]> {
  const kafka = kafkaOf(env);
  const left = await endOffsets(env, topic);
  if (left.size === 0) return [];
  const consumer = kafka.consumer({ groupId: `reader-${Date.now()}-${Math.random()}`, maxWaitTimeInMs: 50 });
  const records: ReadRecord[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      const eachMessage = ({
        partition,
        message,
      }: {
        partition: number;
        message: RawMessage;
      }): Promise<void> => {
        records.push(toReadRecord(message));
        if (BigInt(message.offset) + 1n >= (left.get(partition) ?? 0n)) left.delete(partition);
        if (left.size === 0) resolve();
        return Promise.resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
    return records;
  } finally {
    await consumer.disconnect();
  }
}

/** Every record of the service's topic. */
export function recordsIn(env: Env): Promise<ReadRecord[]> {
  return readAll(env, env['KAFKA_TOPIC'] ?? '');
}

export function deadLettersIn(env: Env): Promise<ReadRecord[]> {
  return readAll(env, `${env['KAFKA_TOPIC'] ?? ''}.dlq`);
}

/** Creates the service's topics before it starts, with these settings. They are there when their leaders answer. */
export async function createTopics(env: Env, settings: Readonly<Record<string, string>> = {}): Promise<void> {
  const topics = [env['KAFKA_TOPIC'] ?? '', `${env['KAFKA_TOPIC'] ?? ''}.dlq`];
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await withAdmin(env, async (admin) => {
    await admin.createTopics({
      topics: topics.map((topic) => ({ topic, numPartitions: 3, configEntries })),
      waitForLeaders: false,
    });
    await eventually(() => Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic))));
  });
}

/** Gives the service's topic these settings and no others. */
export async function alterTopic(env: Env, settings: Readonly<Record<string, string>>): Promise<void> {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const resource = { type: ConfigResourceTypes.TOPIC, name: env['KAFKA_TOPIC'] ?? '', configEntries };
  await withAdmin(env, (admin) => admin.alterConfigs({ validateOnly: false, resources: [resource] }));
}

/** kafkajs' listTopics() lists nothing with the service's patches. */
export async function topicExists(env: Env, topic: string): Promise<boolean> {
  const metadata = withAdmin(env, (admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  return metadata.then(
    () => true,
    (error: unknown) => {
      if (String(error).includes('does not host this topic-partition')) return false;
      throw error;
    },
  );
}

/** Runs admin commands by hand, beside the service. */
export async function withAdmin<T>(env: Env, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkaOf(env).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** How many records the group has not committed yet. */
export async function lag(env: Env): Promise<number> {
  return withAdmin(env, async (admin) => {
    const topic = env['KAFKA_TOPIC'] ?? '';
    const [committed] = await admin.fetchOffsets({ groupId: env['KAFKA_GROUP_ID'] ?? '', topics: [topic] });
    const ends = await admin.fetchTopicOffsets(topic);
    return ends.reduce((sum, { partition, high }) => {
      const offset = committed?.partitions.find((each) => each.partition === partition)?.offset ?? '-1';
      return sum + Number(high) - Math.max(0, Number(offset));
    }, 0);
  });
}

/** Resolves when the group has committed every record. */
export function drained(env: Env): Promise<void> {
  return eventually(async () => expect(await lag(env)).toBe(0));
}

interface RawMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly offset: string;
}

function toReadRecord({ key, value, headers = {} }: RawMessage): ReadRecord {
  return {
    key: key?.toString(),
    value: value?.toString(),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
  };
}

async function endOffsets(env: Env, topic: string): Promise<Map<number, bigint>> {
  const offsets = await withAdmin(env, (admin) => admin.fetchTopicOffsets(topic));
  return new Map(
    offsets.filter(({ high, low }) => high !== low).map(({ partition, high }) => [partition, BigInt(high)]),
  );
}

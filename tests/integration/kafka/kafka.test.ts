import { loadConfig } from '../../../src/config/config';
import { UnavailableError } from '../../../src/domain/errors';
import { createKafka } from '../../../src/kafka/client';
import { readConsumerLag, type PartitionLag } from '../../../src/kafka/consumer-lag';
import { KafkaDeadLetterTopic } from '../../../src/kafka/dead-letter-topic';
import { ConfigResourceTypes, Kafka, logLevel, type Admin } from '../../../src/kafka/kafkajs';
import { KafkaProducer } from '../../../src/kafka/producer';
import { KafkaTopics } from '../../../src/kafka/topics';
import { buildRecord } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { createTopics, produce, readAll, topicExists, withAdmin } from '../../support/kafka-tools';
import { RecordingLogger } from '../../support/recording-logger';
import { isolatedServers, type Env } from '../../support/test-servers';

const NO_BROKER = '127.0.0.1:1';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

async function setUp(variables: Env = {}) {
  const env: Env = { ...(await isolatedServers()), ...variables };
  const config = loadConfig(env).kafka;
  const log = new RecordingLogger();
  const kafka = createKafka(config, log);
  const users: { failure: unknown }[] = [];
  let timesMissing = 0;
  const topics = new KafkaTopics({ kafka, config, log, users, onMissing: () => (timesMissing += 1) });
  const producer = new KafkaProducer(kafka, log);
  ends.push(
    () => topics.stop(),
    () => producer.stop(),
  );
  return { env, config, kafka, topics, producer, log, users, timesMissing: () => timesMissing };
}

const partitionsOf = async (admin: Admin, topic: string): Promise<number | undefined> =>
  (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length;

/** Brokers go on saying that a topic is there for a moment after they said that it is deleted. */
const deleteTopic = async (env: Env, topic: string): Promise<void> =>
  withAdmin(env, async (admin) => {
    await admin.deleteTopics({ topics: [topic] });
    await eventually(async () => expect(await topicExists(env, topic)).toBe(false));
  });

const settingsOf = async (admin: Admin, topic: string): Promise<Record<string, string>> => {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }];
  const described = await admin.describeConfigs({ includeSynonyms: false, resources });
  const entries = described.resources[0]?.configEntries ?? [];
  return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
};

describe('KafkaTopics', () => {
  it('creates both topics with KAFKA_PARTITIONS and every setting that matters; dead letters may be larger', async () => {
    const { env, config, topics } = await setUp({ KAFKA_PARTITIONS: '5', KAFKA_RETENTION_DAYS: '7' });

    await topics.check();

    await withAdmin(env, async (admin) => {
      expect(await partitionsOf(admin, config.topic)).toBe(5);
      expect(await partitionsOf(admin, config.deadLetterTopic)).toBe(5);
      const settings = {
        'cleanup.policy': 'delete',
        'compression.type': 'producer',
        'message.timestamp.type': 'LogAppendTime',
        'retention.bytes': '-1',
        'retention.ms': '604800000',
        'unclean.leader.election.enable': 'false',
      };
      const ofTopic = { ...settings, 'max.message.bytes': '1048588' };
      expect(await settingsOf(admin, config.topic)).toMatchObject(ofTopic);
      const ofDeadLetters = { ...settings, 'max.message.bytes': '4194304' };
      expect(await settingsOf(admin, config.deadLetterTopic)).toMatchObject(ofDeadLetters);
    });
  });

  it('leaves existing topics alone', async () => {
    const { env, config, topics, timesMissing } = await setUp({ KAFKA_PARTITIONS: '5' });
    await createTopics(env);

    await topics.check();

    await withAdmin(env, async (admin) => {
      expect(await partitionsOf(admin, config.topic)).toBe(3);
      expect(await partitionsOf(admin, config.deadLetterTopic)).toBe(3);
    });
    expect(timesMissing()).toBe(0);
  });

  it.each([
    ['it found', createTopics],
    ['it created itself', () => Promise.resolve()],
  ])(
    'says once that a topic %s went missing, and creates it again three seconds later',
    async (_which, before) => {
      const { env, config, topics, timesMissing } = await setUp({ KAFKA_PARTITIONS: '5' });
      await before(env);
      await topics.check();
      await deleteTopic(env, config.deadLetterTopic);

      await expect(topics.check()).rejects.toThrow(UnavailableError);
      const missingSince = performance.now();
      await expect(topics.check()).rejects.toThrow('a topic is missing');
      await eventually(() => topics.check());

      expect(performance.now() - missingSince).toBeGreaterThan(2900);
      expect(timesMissing()).toBe(1);
      expect(await withAdmin(env, (admin) => partitionsOf(admin, config.deadLetterTopic))).toBe(5);
    },
  );

  it('fails while Kafka is unavailable or cannot hold that many replicas', async () => {
    const unavailable = await setUp({ KAFKA_BROKERS: NO_BROKER });
    const tooMany = await setUp({ KAFKA_REPLICATION_FACTOR: '3' });

    await expect(unavailable.topics.check()).rejects.toThrow(/ECONNREFUSED|Connection/);
    await expect(tooMany.topics.check()).rejects.toThrow();
  });

  it('survives two processes that check at once', async () => {
    const one = await setUp();
    const two = await setUp(one.env);

    await Promise.allSettled([one.topics.check(), two.topics.check()]);

    await Promise.all([one.topics.check(), two.topics.check()]);
  });
});

describe('readConsumerLag', () => {
  it('tells each partition’s committed offset and end: the beginning before the first commit', async () => {
    const { env, config, kafka, topics } = await setUp();
    await topics.check();
    await produce(env, [{ value: '1' }, { value: '2' }]);
    const early = await readConsumerLag(kafka, config);

    const partitions = [{ partition: 0, offset: '2' }];
    await withAdmin(env, (admin) =>
      admin.setOffsets({ groupId: config.groupId, topic: config.topic, partitions }),
    );
    const late = await readConsumerLag(kafka, config);

    const ofPartition0 = (lag: PartitionLag[]) => lag.find(({ partition }) => partition === 0);
    expect(early).toHaveLength(3);
    const both = { partition: 0, logStart: 0n, logEnd: 2n };
    expect(ofPartition0(early)).toEqual({ ...both, committed: 0n, isCommitted: false });
    expect(ofPartition0(late)).toEqual({ ...both, committed: 2n, isCommitted: true });
  });

  it('fails while Kafka is unavailable', async () => {
    const { config, kafka } = await setUp({ KAFKA_BROKERS: NO_BROKER });

    await expect(readConsumerLag(kafka, config)).rejects.toThrow(/ECONNREFUSED|Connection/);
  });
});

describe('KafkaProducer', () => {
  it('resolves when the records are in the topic', async () => {
    const { env, config, topics, producer } = await setUp();
    await topics.check();

    await producer.send(config.topic, [{ key: 'a', value: '1', headers: { 'event-id': 'x' } }]);

    expect(await readAll(env, config.topic)).toEqual([
      { key: 'a', value: '1', headers: { 'event-id': 'x' } },
    ]);
  });

  it('rejects while Kafka is unavailable or the topic is missing, and works again afterwards', async () => {
    const unavailable = await setUp({ KAFKA_BROKERS: NO_BROKER });
    const { config, topics, producer } = await setUp();

    const sends = await Promise.allSettled(
      [1, 2].map(() => unavailable.producer.send('any', [{ value: '1' }])),
    );
    expect(
      sends.map((send) => send.status === 'rejected' && send.reason instanceof UnavailableError),
    ).toEqual([true, true]);
    await expect(producer.send(config.topic, [{ value: '1' }])).rejects.toThrow(UnavailableError);
    await topics.check();
    await eventually(() => producer.send(config.topic, [{ value: '1' }]));
  });

  it('uses TLS and SASL when told to, and is unavailable when the broker does neither', async () => {
    const tls = await setUp({ KAFKA_SSL: 'true' });
    const sasl = await setUp({
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'user',
      KAFKA_SASL_PASSWORD: 'password',
    });

    const sends = await Promise.allSettled(
      [tls, sasl].map(({ producer }) => producer.send('any', [{ value: '1' }])),
    );

    const causes = sends.map((send) => String((send as { reason?: { cause?: unknown } }).reason?.cause));
    expect(causes).toEqual([expect.stringMatching(/SSL|TLS|disconnected/i), expect.stringMatching(/SASL/i)]);
  });

  it('stops without ever having sent, and twice', async () => {
    const { producer, topics } = await setUp();

    await producer.stop();
    await producer.stop();
    await topics.stop();
  });
});

describe('KafkaDeadLetterTopic', () => {
  it('keep key, value and headers as they were, even none, and add where and why', async () => {
    const { env, config, topics, producer } = await setUp();
    await topics.check();
    const deadLetters = new KafkaDeadLetterTopic(producer, config.deadLetterTopic);
    const record = buildRecord({
      value: null,
      key: null,
      headers: { odd: 'kept' },
      partition: 2,
      offset: '77',
    });

    await deadLetters.publish([{ record, reason: 'invalid', error: 'the record has no value' }]);

    expect(await readAll(env, config.deadLetterTopic)).toEqual([
      {
        key: undefined,
        value: undefined,
        headers: {
          odd: 'kept',
          'dead-letter-reason': 'invalid',
          'dead-letter-error': 'the record has no value',
          'source-topic': 'user-registration',
          'source-partition': '2',
          'source-offset': '77',
        },
      },
    ]);
  });
});

describe('an idle kafkajs connection', () => {
  it('arms no timer of a millisecond for ever', async () => {
    const { topics } = await setUp();
    await topics.check();
    const timers = jest.spyOn(global, 'setTimeout');

    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 200;
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));

    const armed = timers.mock.calls.length;
    timers.mockRestore();
    expect(armed).toBeLessThan(10);
  });

  it('costs a fraction of the CPU that kafkajs takes without the patch', async () => {
    const { env } = await setUp();
    const unpatched = unpatchedKafka();
    const spent = { patched: 0, unpatched: 0 };

    // In turns, so that what else the machine does meets both alike.
    for (let round = 0; round < 3; round += 1) {
      spent.patched += await idleCpu(env, Kafka);
      spent.unpatched += await idleCpu(env, unpatched);
    }

    expect(spent.patched).toBeLessThan(spent.unpatched / 2);
  });
});

const IDLE_CONNECTIONS = 10;
const IDLE_MS = 400;

/** A second copy of kafkajs, without the patches. */
function unpatchedKafka(): typeof Kafka {
  let copy = Kafka;
  jest.isolateModules(() => {
    copy = jest.requireActual<{ Kafka: typeof Kafka }>('kafkajs').Kafka;
  });
  if (copy === Kafka) throw new Error('not a second copy');
  return copy;
}

/** Microseconds of CPU that this process takes in IDLE_MS with idle connections. */
async function idleCpu(env: Env, Client: typeof Kafka): Promise<number> {
  const kafka = new Client({
    brokers: (env['KAFKA_BROKERS'] ?? '').split(','),
    logLevel: logLevel.NOTHING,
  });
  const admins = Array.from({ length: IDLE_CONNECTIONS }, () => kafka.admin());
  await Promise.all(admins.map((admin) => admin.connect()));
  try {
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  } finally {
    await Promise.all(admins.map((admin) => admin.disconnect()));
  }
}

import { ConfigResourceTypes, type Admin } from 'kafkajs';
import { loadConfig } from '../../../src/config/config';
import { UnavailableError } from '../../../src/domain/errors';
import { createKafka } from '../../../src/kafka/kafka-client';
import { KafkaDeadLetters } from '../../../src/kafka/kafka-dead-letters';
import { KafkaTopics } from '../../../src/kafka/kafka-topics';
import { RecordSender } from '../../../src/kafka/record-sender';
import { buildRecord } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { createTopics, readAll, withAdmin } from '../../support/kafka-tools';
import { RecordingLogger } from '../../support/recording-logger';
import { isolatedServers, type Env } from '../../support/test-servers';

const NOBODY = '127.0.0.1:1';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

async function setUp(variables: Env = {}) {
  const env: Env = { ...(await isolatedServers()), ...variables };
  const config = loadConfig(env).kafka;
  const log = new RecordingLogger();
  const kafka = createKafka(config, log);
  const topics = new KafkaTopics({ kafka, config, log });
  const sender = new RecordSender(kafka, log);
  ends.push(
    () => topics.stop(),
    () => sender.stop(),
  );
  return { env, config, topics, sender, log };
}

const partitionsOf = async (admin: Admin, topic: string): Promise<number | undefined> =>
  (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length;

const settingsOf = async (admin: Admin, topic: string): Promise<Record<string, string>> => {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }];
  const described = await admin.describeConfigs({ includeSynonyms: false, resources });
  const entries = described.resources[0]?.configEntries ?? [];
  return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
};

describe('KafkaTopics', () => {
  it('makes both topics with KAFKA_PARTITIONS; dead letters are kept for ever and may be larger than any record', async () => {
    const { env, config, topics } = await setUp({ KAFKA_PARTITIONS: '5' });

    await topics.check();

    await withAdmin(env, async (admin) => {
      expect(await partitionsOf(admin, config.topic)).toBe(5);
      expect(await partitionsOf(admin, config.deadLetterTopic)).toBe(5);
      const settings = await settingsOf(admin, config.deadLetterTopic);
      expect(settings).toMatchObject({ 'retention.ms': '-1', 'max.message.bytes': '4194304' });
    });
  });

  it('leaves topics alone that are there, and makes one anew that went missing', async () => {
    const { env, config, topics } = await setUp({ KAFKA_PARTITIONS: '5' });
    await createTopics(env);
    await topics.check();

    await withAdmin(env, async (admin) => {
      expect(await partitionsOf(admin, config.topic)).toBe(3);
      await admin.deleteTopics({ topics: [config.deadLetterTopic] });
      await topics.check();
      expect(await partitionsOf(admin, config.topic)).toBe(3);
      expect(await partitionsOf(admin, config.deadLetterTopic)).toBe(5);
    });
  });

  it('fails while Kafka is away or cannot hold that many replicas', async () => {
    const away = await setUp({ KAFKA_BROKERS: NOBODY });
    const tooMany = await setUp({ KAFKA_REPLICATION_FACTOR: '3' });

    await expect(away.topics.check()).rejects.toThrow(/ECONNREFUSED|Connection/);
    await expect(tooMany.topics.check()).rejects.toThrow();
  });

  it('survives two that check at once', async () => {
    const one = await setUp();
    const two = await setUp(one.env);

    await Promise.allSettled([one.topics.check(), two.topics.check()]);

    await Promise.all([one.topics.check(), two.topics.check()]);
  });
});

describe('RecordSender', () => {
  it('resolves when the records are in the topic', async () => {
    const { env, config, topics, sender } = await setUp();
    await topics.check();

    await sender.send(config.topic, [{ key: 'a', value: '1', headers: { 'event-id': 'x' } }]);

    expect(await readAll(env, config.topic)).toEqual([
      { key: 'a', value: '1', headers: { 'event-id': 'x' } },
    ]);
  });

  it('is unavailable while Kafka is away or the topic is missing, and works again afterwards', async () => {
    const away = await setUp({ KAFKA_BROKERS: NOBODY });
    const { config, topics, sender } = await setUp();

    const sends = await Promise.allSettled([1, 2].map(() => away.sender.send('any', [{ value: '1' }])));
    expect(
      sends.map((send) => send.status === 'rejected' && send.reason instanceof UnavailableError),
    ).toEqual([true, true]);
    await expect(sender.send(config.topic, [{ value: '1' }])).rejects.toThrow(UnavailableError);
    await topics.check();
    await eventually(() => sender.send(config.topic, [{ value: '1' }]));
  });

  it('speaks TLS and SASL when told to, and is unavailable to a broker that speaks neither', async () => {
    const tls = await setUp({ KAFKA_SSL: 'true' });
    const sasl = await setUp({
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'user',
      KAFKA_SASL_PASSWORD: 'password',
    });

    const sends = await Promise.allSettled(
      [tls, sasl].map(({ sender }) => sender.send('any', [{ value: '1' }])),
    );

    const causes = sends.map((send) => String((send as { reason?: { cause?: unknown } }).reason?.cause));
    expect(causes).toEqual([expect.stringMatching(/SSL|TLS|disconnected/i), expect.stringMatching(/SASL/i)]);
  });

  it('stops without ever having sent, and twice', async () => {
    const { sender, topics } = await setUp();

    await sender.stop();
    await sender.stop();
    await topics.stop();
  });
});

describe('KafkaDeadLetters', () => {
  it('keep key, value and headers as they were, even none, and add where and why', async () => {
    const { env, config, topics, sender } = await setUp();
    await topics.check();
    const deadLetters = new KafkaDeadLetters({ topic: config.deadLetterTopic, sender });
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
});

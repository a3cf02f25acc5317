import { KafkaJSProtocolError, type ITopicConfig, type Kafka, type PartitionMetadata } from 'kafkajs';
import { loadConfig } from '../../../src/config/config';
import { UnsuitableServerError } from '../../../src/domain/errors';
import { KafkaTopics } from '../../../src/kafka/topics';
import { RecordingLogger } from '../../support/recording-logger';

const led: PartitionMetadata = {
  partitionErrorCode: 0,
  partitionId: 0,
  leader: 1,
  replicas: [1, 2, 3],
  isr: [1, 2],
};

/** kafkajs' admin client of a cluster that has, or gets, both topics. */
function setUp({ exist = true, defaultReplicas = undefined as string | undefined, settings = {} } = {}) {
  const partitions = [led, { ...led, partitionId: 1 }];
  const created: ITopicConfig[] = [];
  const admin = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    describeCluster: () => Promise.resolve({ controller: 1 }),
    describeConfigs: ({ resources }: { resources: { name: string; configNames?: string[] }[] }) =>
      Promise.resolve({
        resources: resources.map(({ name, configNames }) => ({
          resourceName: name,
          configEntries: configNames
            ? [{ configName: configNames[0], configValue: defaultReplicas }]
            : Object.entries({ 'min.insync.replicas': '2', ...settings }).map(([configName, configValue]) => {
                return { configName, configValue };
              }),
        })),
      }),
    fetchTopicMetadata: ({ topics }: { topics: string[] }) => {
      if (!exist) return Promise.reject(unknownTopic());
      return Promise.resolve({ topics: topics.map((name) => ({ name, partitions })) });
    },
    createTopics: ({ topics }: { topics: ITopicConfig[] }) => {
      created.push(...topics);
      exist = true;
      return Promise.resolve(true);
    },
  };
  const kafka = { admin: () => admin } as unknown as Kafka;
  const users = [{ failure: undefined as unknown }];
  const log = new RecordingLogger();
  const { kafka: config } = loadConfig({ KAFKA_TOPIC: 'users' });
  const topics = new KafkaTopics({ kafka, config, log, users, onMissing: () => undefined });
  return { topics, partitions, created, users, log };
}

const unknownTopic = (): Error =>
  new KafkaJSProtocolError(
    Object.assign(new Error('unknown'), { type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3, retriable: true }),
  );

const valueOf = (topic: ITopicConfig | undefined, setting: string): string | undefined =>
  topic?.configEntries?.find(({ name }) => name === setting)?.value;

describe('KafkaTopics', () => {
  it.each<[string, Partial<PartitionMetadata>]>([
    ['has no leader', { leader: -1 }],
    ['has fewer replicas in sync than it needs', { isr: [1] }],
  ])(
    'is unhealthy while a partition %s, but does not keep a process from starting',
    async (_why, problem) => {
      const { topics, partitions } = setUp();
      partitions[1] = { ...led, partitionId: 1, ...problem };

      await topics.check();
      await expect(topics.check()).rejects.toThrow(UnsuitableServerError);
      await expect(topics.check()).rejects.toThrow(/^partition 1 of the topic users has no leader, or/);
      partitions[1] = led;

      await topics.check();
    },
  );

  it.each([
    [undefined, -1, undefined],
    ['1', 1, undefined],
    ['3', 3, '2'],
  ])(
    'with a default replication factor of %s asks for %s replicas',
    async (defaultReplicas, replicas, inSync) => {
      const { topics, created } = setUp({ exist: false, defaultReplicas });

      await topics.check();

      expect(created.map(({ topic, replicationFactor }) => [topic, replicationFactor])).toEqual([
        ['users', replicas],
        ['users.dlq', replicas],
      ]);
      expect(created.map((topic) => valueOf(topic, 'min.insync.replicas'))).toEqual([inSync, inSync]);
    },
  );

  const DAY_MS = 86_400_000;

  it('knows no end of the last copies before it has read the settings, or where it may not', async () => {
    const { topics } = setUp();

    expect(topics.settings.copiesEnd()).toBeUndefined();
    await topics.check();
    expect(topics.settings.copiesEnd()).toBeDefined();
  });

  it.each([
    [83, 7, 90, undefined],
    [84, 7, 91, /^users keeps records for up to 91 days .*ERASURE_MEMORY_DAYS/],
    [-1, 7, Infinity, /^users keeps records for ever .*ERASURE_MEMORY_DAYS/],
  ])(
    'with retention.ms of %d days and segment.ms of %d, its last copy ends in %d',
    async (retention, segment, days, hint) => {
      const settings = {
        'retention.ms': String(retention === -1 ? -1 : retention * DAY_MS),
        'segment.ms': String(segment * DAY_MS),
      };
      const { topics, log } = setUp({ settings });

      await topics.check();

      const hints = log.lines.map((line) => String(line['hint'])).filter((text) => text.includes('ERASURE'));
      expect(hints).toEqual(
        hint ? [expect.stringMatching(hint), expect.stringMatching(/^users\.dlq keeps/)] : [],
      );
      const end = topics.settings.copiesEnd();
      if (days === Infinity) expect(end).toBeUndefined();
      else expect(Math.ceil((Number(end) - Date.now()) / DAY_MS)).toBe(days + 1);
    },
  );

  it('is unhealthy for as long as something else that uses Kafka fails', async () => {
    const { topics, users } = setUp();
    const failure = new Error('not authorized');
    users[0] = { failure };

    await expect(topics.check()).rejects.toBe(failure);
    users[0] = { failure: undefined };

    await topics.check();
  });
});

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
function setUp({ exist = true, defaultReplicas = undefined as string | undefined } = {}) {
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
            : [{ configName: 'min.insync.replicas', configValue: '2' }],
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
  return { topics, partitions, created, users };
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

  it('is unhealthy for as long as something else that uses Kafka fails', async () => {
    const { topics, users } = setUp();
    const failure = new Error('not authorized');
    users[0] = { failure };

    await expect(topics.check()).rejects.toBe(failure);
    users[0] = { failure: undefined };

    await topics.check();
  });
});

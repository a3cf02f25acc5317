import {
  ConfigResourceTypes,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  type Admin,
  type ITopicConfig,
  type Kafka,
} from './kafkajs';
import type { Config } from '../config/config';
import { UnavailableError } from '../domain/errors';
import { pause } from '../runtime/backoff';
import type { Logger } from '../services/ports/telemetry';

const KEEP_FOR_EVER = '-1';
const DEAD_LETTER_MAX_BYTES = String(4 * 1024 * 1024);
const SAFE_REPLICAS = 3;
const MISSING_MS = 3000;
const SAFE_MIN_IN_SYNC = '2';
const LEADER_TIMEOUT_MS = 2000;
const LEADER_POLL_MS = 100;
const MISSING = 'UNKNOWN_TOPIC_OR_PARTITION';
const NO_LEADER_YET = 'LEADER_NOT_AVAILABLE';

export interface KafkaTopicsDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  readonly log: Logger;
  /** Called once when topics that existed go missing. */
  readonly onMissing: () => void;
}

/** Creates the two topics where they are missing, at start and whenever they go missing later. */
export class KafkaTopics {
  readonly name = 'kafka topics';
  readonly stopTimeoutMs = 1000;
  private admin: Promise<Admin> | undefined;
  private existed = false;
  private missingSince: number | undefined;

  constructor(private readonly deps: KafkaTopicsDeps) {}

  async stop(): Promise<void> {
    const admin = await this.admin?.catch(() => undefined);
    this.admin = undefined;
    await admin?.disconnect();
  }

  /**
   * Rejects unless Kafka responds and both topics exist. Missing ones are created first: at once at the start, after
   * MISSING_MS of failed checks when they had existed.
   */
  async check(): Promise<void> {
    const connecting = (this.admin ??= this.connect());
    try {
      const admin = await connecting;
      if (!(await this.topicsExist(admin))) {
        this.waitBeforeRecreating();
        await this.createMissing(admin);
        await this.waitForLeaders(admin);
      }
      this.existed = true;
      this.missingSince = undefined;
    } catch (error) {
      this.discard(connecting);
      throw error;
    }
  }

  private async connect(): Promise<Admin> {
    const admin = this.deps.kafka.admin();
    await admin.connect();
    return admin;
  }

  private discard(connecting: Promise<Admin>): void {
    if (this.admin === connecting) this.admin = undefined;
    connecting
      .then((admin) => admin.disconnect())
      .catch((error: unknown) => this.deps.log.debug('could not close discarded Kafka admin', { error }));
  }

  /** False when Kafka responds with one of the errors `unless`. */
  private async topicsExist(admin: Admin, unless: readonly string[] = [MISSING]): Promise<boolean> {
    const { topic, deadLetterTopic } = this.deps.config;
    try {
      await admin.fetchTopicMetadata({ topics: [topic, deadLetterTopic] });
      return true;
    } catch (error) {
      // kafkajs retries on some of them, and then wraps them.
      const cause = error instanceof KafkaJSNumberOfRetriesExceeded ? error.cause : error;
      if (cause instanceof KafkaJSProtocolError && unless.includes(cause.type)) return false;
      throw error;
    }
  }

  // Wait so that every consumer, in all processes, notices the deletion, by a failed fetch or by its own process's check;
  // one that does not would continue at its old offset in the new topic and skip its first records.
  private waitBeforeRecreating(): void {
    if (!this.existed) return;
    if (this.missingSince === undefined) this.deps.onMissing();
    this.missingSince ??= performance.now();
    if (performance.now() - this.missingSince < MISSING_MS) throw new UnavailableError('a topic is missing');
  }

  private async createMissing(admin: Admin): Promise<void> {
    const { config, log } = this.deps;
    const replicas = await this.replicas(admin);
    // One by one: kafkajs reports several at once as failed when only one of them exists already.
    for (const topic of [config.topic, config.deadLetterTopic]) {
      const topics = [this.topicConfig(topic, replicas)];
      const isNew = await admin.createTopics({ topics, waitForLeaders: false });
      if (isNew) log.info('topic created', { topic, partitions: config.partitions, replicas });
    }
  }

  // A broker learns a moment later that it leads a new topic. kafkajs would wait for leaders, too, but fails on a broker
  // that does not know the topic yet.
  private async waitForLeaders(admin: Admin): Promise<void> {
    const giveUp = AbortSignal.timeout(LEADER_TIMEOUT_MS);
    do {
      if (giveUp.aborted) throw new UnavailableError('a created topic has no leaders yet');
      await pause(LEADER_POLL_MS, giveUp);
    } while (!(await this.topicsExist(admin, [MISSING, NO_LEADER_YET])));
  }

  private topicConfig(topic: string, replicas: number): ITopicConfig {
    const { config } = this.deps;
    const inSync =
      replicas >= SAFE_REPLICAS ? [{ name: 'min.insync.replicas', value: SAFE_MIN_IN_SYNC }] : [];
    const forDeadLetters = [
      { name: 'retention.ms', value: KEEP_FOR_EVER },
      // The largest record still fits with the headers that a dead letter adds.
      { name: 'max.message.bytes', value: DEAD_LETTER_MAX_BYTES },
    ];
    return {
      topic,
      numPartitions: config.partitions,
      replicationFactor: replicas,
      configEntries: topic === config.deadLetterTopic ? [...inSync, ...forDeadLetters] : inSync,
    };
  }

  /** -1 asks the broker for its default, which has to be known to choose min.insync.replicas. */
  private async replicas(admin: Admin): Promise<number> {
    const wanted = this.deps.config.replicationFactor;
    if (wanted !== -1) return wanted;
    const { controller } = await admin.describeCluster();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: ConfigResourceTypes.BROKER,
          name: String(controller),
          configNames: ['default.replication.factor'],
        },
      ],
    });
    const [setting] = resources.flatMap(({ configEntries }) => configEntries);
    return Number(setting?.configValue);
  }
}

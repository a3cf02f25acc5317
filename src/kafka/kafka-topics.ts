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
import type { Logger } from '../services/ports';

const KEEP_FOR_EVER = '-1';
const DEAD_LETTER_MAX_BYTES = String(4 * 1024 * 1024);
const SAFE_REPLICAS = 3;
const MISSING_MS = 3000;
const MIN_IN_SYNC_OF_SAFE = '2';
const LED_WITHIN_MS = 2000;
const LED_PROBE_MS = 100;
const MISSING = 'UNKNOWN_TOPIC_OR_PARTITION';
const NOT_LED_YET = 'LEADER_NOT_AVAILABLE';

export interface KafkaTopicsDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  readonly log: Logger;
  /** Told once when topics that were there go missing. */
  readonly onMissing: () => void;
}

/** Looks after the two topics: makes those that are missing, at start and whenever they go missing later. */
export class KafkaTopics {
  readonly name = 'kafka topics';
  readonly stopTimeoutMs = 1000;
  private admin: Promise<Admin> | undefined;
  private wereThere = false;
  private missingSince: number | undefined;

  constructor(private readonly deps: KafkaTopicsDeps) {}

  async stop(): Promise<void> {
    const admin = await this.admin?.catch(() => undefined);
    this.admin = undefined;
    await admin?.disconnect();
  }

  /**
   * Fails unless Kafka answers and both topics are there. Missing ones are made first: at once at the start, after
   * MISSING_MS of failed checks when they had been there.
   */
  async check(): Promise<void> {
    const connecting = (this.admin ??= this.connect());
    try {
      const admin = await connecting;
      if (!(await this.areThere(admin))) {
        this.letItBeNoticed();
        await this.createMissing(admin);
        await this.untilLed(admin);
      }
      this.wereThere = true;
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
      .catch((error: unknown) => this.deps.log.debug('discarded Kafka admin', { error }));
  }

  /** False when Kafka answers with one of the errors `unless`. */
  private async areThere(admin: Admin, unless: readonly string[] = [MISSING]): Promise<boolean> {
    const { topic, deadLetterTopic } = this.deps.config;
    try {
      await admin.fetchTopicMetadata({ topics: [topic, deadLetterTopic] });
      return true;
    } catch (error) {
      // kafkajs tries again on some of them, and then hides them.
      const answer = error instanceof KafkaJSNumberOfRetriesExceeded ? error.cause : error;
      if (answer instanceof KafkaJSProtocolError && unless.includes(answer.type)) return false;
      throw error;
    }
  }

  // A consumer that never saw the gap, in whichever process, would go on at its old offset and skip the new topic's
  // first records. In this time each of them fetches in vain, or is told by its own process's check.
  private letItBeNoticed(): void {
    if (!this.wereThere) return;
    if (this.missingSince === undefined) this.deps.onMissing();
    this.missingSince ??= performance.now();
    if (performance.now() - this.missingSince < MISSING_MS) throw new UnavailableError('a topic is missing');
  }

  private async createMissing(admin: Admin): Promise<void> {
    const { config, log } = this.deps;
    const replicas = await this.replicas(admin);
    // One by one: kafkajs reports several at once as failed when only one of them is there already.
    for (const topic of [config.topic, config.deadLetterTopic]) {
      const topics = [this.topicConfig(topic, replicas)];
      const isNew = await admin.createTopics({ topics, waitForLeaders: false });
      if (isNew) log.info('topic created', { topic, partitions: config.partitions, replicas });
    }
  }

  // A broker hears a moment later that it has a topic, and leads it. kafkajs would wait for leaders, too, but takes a broker
  // that has not heard of the topic for a failure.
  private async untilLed(admin: Admin): Promise<void> {
    const giveUp = AbortSignal.timeout(LED_WITHIN_MS);
    do {
      if (giveUp.aborted) throw new UnavailableError('a topic that was made has no leaders yet');
      await pause(LED_PROBE_MS, giveUp);
    } while (!(await this.areThere(admin, [MISSING, NOT_LED_YET])));
  }

  private topicConfig(topic: string, replicas: number): ITopicConfig {
    const { config } = this.deps;
    const inSync =
      replicas >= SAFE_REPLICAS ? [{ name: 'min.insync.replicas', value: MIN_IN_SYNC_OF_SAFE }] : [];
    const forDeadLetters = [
      { name: 'retention.ms', value: KEEP_FOR_EVER },
      // A record of the largest size still fits with the headers that a dead letter adds.
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

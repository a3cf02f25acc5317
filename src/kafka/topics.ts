import { ConfigResourceTypes, protocolErrorType } from './kafkajs';
import type { Admin, ITopicMetadata, Kafka, PartitionMetadata } from './kafkajs';
import type { Config } from '../config/config';
import { UnavailableError, UnsuitableServerError } from '../domain/errors';
import { pause } from '../runtime/backoff';
import type { Logger } from '../services/ports/telemetry';
import { readSettings, TopicSettings } from './topic-settings';

const MISSING_MS = 3000;
const LEADER_TIMEOUT_MS = 2000;
const LEADER_POLL_MS = 100;
/** What the largest registration needs. */
const MIN_MESSAGE_BYTES = 4096;
const MISSING = 'UNKNOWN_TOPIC_OR_PARTITION';
const NO_LEADER_YET = 'LEADER_NOT_AVAILABLE';
const DEFAULT_REPLICAS = 'default.replication.factor';

export interface KafkaTopicsDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  readonly log: Logger;
  /** What else uses Kafka: why it fails at present. */
  readonly users: readonly { readonly failure: unknown }[];
  /** Called once when topics that existed go missing. */
  readonly onMissing: () => void;
}

/** Creates the service's topics where they are missing, at start and whenever they go missing later, and checks them. */
export class KafkaTopics {
  readonly name = 'kafka topics';
  readonly stopTimeoutMs = 1000;
  readonly settings: TopicSettings;
  private admin: Promise<Admin> | undefined;
  private existed = false;
  private missingSince: number | undefined;

  constructor(private readonly deps: KafkaTopicsDeps) {
    this.settings = new TopicSettings(deps);
  }

  async stop(): Promise<void> {
    const admin = await this.admin?.catch(() => undefined);
    this.admin = undefined;
    await admin?.disconnect();
  }

  /**
   * Rejects unless all topics exist and can be worked with. Missing ones are created first: at once at the start, after
   * MISSING_MS of failed checks when they had existed.
   */
  async check(): Promise<void> {
    const topics = await this.readTopics();
    topics.forEach((topic) => this.assertWritable(topic));
    this.existed = true;
    const failing = this.deps.users.find(({ failure }) => failure !== undefined);
    if (failing) throw failing.failure;
  }

  private assertWritable({ name, partitions }: ITopicMetadata): void {
    if (Number(this.settings.get(name, 'max.message.bytes') ?? Infinity) < MIN_MESSAGE_BYTES) {
      throw new UnsuitableServerError(
        `max.message.bytes of the topic ${name} must be at least ${MIN_MESSAGE_BYTES}`,
      );
    }
    // A partition that takes no records must not keep a new process from working with the others.
    if (!this.existed) return;
    const inSync = Number(this.settings.get(name, 'min.insync.replicas') ?? 1);
    const stuck = partitions.filter(
      (each) => !isLed(each) || each.isr.length < Math.min(inSync, each.replicas.length),
    );
    if (stuck.length === 0) return;
    const ids = stuck.map(({ partitionId }) => partitionId).join(', ');
    const reason =
      'has no leader, or fewer replicas in sync than min.insync.replicas: bring its brokers back';
    throw new UnsuitableServerError(`partition ${ids} of the topic ${name} ${reason}`);
  }

  private async readTopics(): Promise<ITopicMetadata[]> {
    const connecting = (this.admin ??= this.connect());
    try {
      const admin = await connecting;
      const topics = (await this.find(admin)) ?? (await this.create(admin));
      this.missingSince = undefined;
      await this.settings.check(admin, topics);
      return topics;
    } catch (error) {
      if (this.admin === connecting) this.admin = undefined;
      const { log } = this.deps;
      connecting
        .then((admin) => admin.disconnect())
        .catch((cause: unknown) => log.debug('could not close discarded Kafka admin', { error: cause }));
      throw error;
    }
  }

  private async connect(): Promise<Admin> {
    const admin = this.deps.kafka.admin();
    await admin.connect();
    return admin;
  }

  /** Undefined when Kafka responds with one of the errors `unless`. */
  private async find(admin: Admin, unless = [MISSING]): Promise<ITopicMetadata[] | undefined> {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: topicsOf(this.deps.config) });
      // kafkajs asks for them in random order: their hints would take turns.
      return topics.sort((a, b) => a.name.localeCompare(b.name));
    } catch (error) {
      if (unless.includes(protocolErrorType(error) ?? '')) return undefined;
      throw error;
    }
  }

  private async create(admin: Admin): Promise<ITopicMetadata[]> {
    const { config, log, onMissing } = this.deps;
    if (this.existed) {
      // Wait so that every consumer, in all processes, notices the deletion, by a failed fetch or by its own process's
      // check; one that does not would continue at its old offset in the new topic and skip its first records.
      if (this.missingSince === undefined) onMissing();
      this.missingSince ??= performance.now();
      if (performance.now() - this.missingSince < MISSING_MS)
        throw new UnavailableError('a topic is missing');
    }
    const replicas = await this.replicas(admin);
    // One by one: kafkajs reports several at once as failed when only one of them exists already.
    for (const topic of topicsOf(config)) {
      const topics = [this.settings.newTopic(topic, replicas)];
      const isNew = await admin.createTopics({ topics, waitForLeaders: false });
      if (isNew) log.info('topic created', { topic, partitions: config.partitions, replicas });
    }
    return this.waitForLeaders(admin);
  }

  // A broker learns a moment later that it leads a new topic. kafkajs would wait for leaders, too, but fails on a broker
  // that does not know the topic yet.
  private async waitForLeaders(admin: Admin): Promise<ITopicMetadata[]> {
    const giveUp = AbortSignal.timeout(LEADER_TIMEOUT_MS);
    for (;;) {
      if (giveUp.aborted) throw new UnavailableError('a created topic has no leaders yet');
      await pause(LEADER_POLL_MS, giveUp);
      const topics = await this.find(admin, [MISSING, NO_LEADER_YET]);
      if (topics?.every(({ partitions }) => partitions.every(isLed))) return topics;
    }
  }

  /** -1 asks the brokers for their default, which has to be known to choose min.insync.replicas. */
  private async replicas(admin: Admin): Promise<number> {
    const wanted = this.deps.config.replicationFactor;
    if (wanted !== -1) return wanted;
    const { controller } = await admin.describeCluster();
    const configNames = [DEFAULT_REPLICAS];
    const broker = { type: ConfigResourceTypes.BROKER, name: String(controller), configNames };
    const settings = await readSettings(admin, [broker]);
    // Without the right to ask, or an answer, both are the brokers' choice.
    return Number(settings.get(broker.name)?.[DEFAULT_REPLICAS]) || wanted;
  }
}

function topicsOf({ topic, deadLetterTopic, eventsTopic }: Config['kafka']): string[] {
  return [topic, deadLetterTopic, ...(eventsTopic === undefined ? [] : [eventsTopic])];
}

function isLed({ leader }: PartitionMetadata): boolean {
  return leader >= 0;
}

import { ConfigResourceTypes, protocolErrorType } from './kafkajs';
import type { Admin, ITopicConfig, ITopicMetadata, ResourceConfigQuery } from './kafkajs';
import type { Config } from '../config/config';
import type { Logger } from '../services/ports/telemetry';

const DAY_MS = 86_400_000;
const CHECK_INTERVAL_MS = 2000;
const MAX_DATE_MS = Date.UTC(9999, 11, 31);
const SAFE_REPLICAS = 3;
// Of the events topic: an erased user's row is gone this long after its erasure, and the erasure itself as long after that.
const COMPACTION_MS = 7 * DAY_MS;
// Records are deleted by whole segments: the last of one is young when the first is this old (Kafka's default).
const SEGMENT_MS = 7 * DAY_MS;
/** More than wanted is fine, too. */
const MINIMA = ['max.message.bytes', 'min.insync.replicas', 'delete.retention.ms'];

type Settings = Readonly<Record<string, string>>;

/** The settings of the topics: all that the promise needs, whatever the brokers' defaults. */
export class TopicSettings {
  /** By topic: what it should have and does not have, as of the last check. */
  missing: ReadonlyMap<string, Settings> = new Map();
  private actual: ReadonlyMap<string, Settings> = new Map();
  private checkedAt = -Infinity;
  private lastHints = '';

  constructor(private readonly deps: { readonly config: Config['kafka']; readonly log: Logger }) {}

  /** For a new topic; -1 replicas are the brokers' default. */
  newTopic(topic: string, replicas: number): ITopicConfig {
    const { partitions: numPartitions } = this.deps.config;
    const wanted = Object.entries(this.wanted(topic, replicas));
    const configEntries = wanted.map(([name, value]) => ({ name, value }));
    return { topic, numPartitions, replicationFactor: replicas, configEntries };
  }

  /** As of the last check; undefined when the user may not read it. */
  get(topic: string, name: string): string | undefined {
    return this.actual.get(topic)?.[name];
  }

  /** How long the topic keeps a record at most, in ms: Infinity when for ever. What cannot be read is as this service sets it. */
  keepsMs(topic: string): number {
    const retentionMs = Number(this.get(topic, 'retention.ms') ?? this.deps.config.retentionDays * DAY_MS);
    const segmentMs = Number(this.get(topic, 'segment.ms') ?? SEGMENT_MS);
    return retentionMs < 0 ? Infinity : retentionMs + segmentMs;
  }

  /** How long one of the topics may keep a copy, in ms: Infinity when for ever. */
  get keepsCopiesMs(): number {
    const { topic, deadLetterTopic } = this.deps.config;
    return Math.max(this.keepsMs(topic), this.keepsMs(deadLetterTopic)) + DAY_MS;
  }

  /**
   * When neither the topic nor the dead letters keep anything any more of what they held at `sinceMs`; undefined when that is
   * never, or not known.
   */
  copiesEnd(sinceMs = Date.now()): Date | undefined {
    if (this.actual.size === 0) return undefined;
    const end = sinceMs + this.keepsCopiesMs;
    return end <= MAX_DATE_MS ? new Date(end) : undefined;
  }

  /** Reads the settings of existing topics, at most every two seconds. What is missing is reported when it changes. */
  async check(admin: Admin, topics: readonly ITopicMetadata[]): Promise<void> {
    if (performance.now() - this.checkedAt < CHECK_INTERVAL_MS) return;
    const resources = topics.map(({ name }) => ({ type: ConfigResourceTypes.TOPIC, name }));
    this.actual = await readSettings(admin, resources);
    this.checkedAt = performance.now();
    this.missing = new Map(topics.map((topic) => [topic.name, this.compare(topic)]));
    const hints = [...this.missing].filter(([, settings]) => Object.keys(settings).length > 0).map(toCommand);
    if (this.actual.size === 0)
      hints.push('the Kafka user needs DescribeConfigs on the topics, to check their settings');
    hints.push(...topics.flatMap(({ name }) => this.memoryHint(name)));
    if (hints.join() === this.lastHints) return;
    this.lastHints = hints.join();
    for (const hint of hints)
      this.deps.log.warn('topic settings endanger the promise', { dependency: 'kafka', hint });
  }

  private memoryHint(topic: string): string[] {
    if (topic === this.deps.config.eventsTopic) return [];
    const days = Math.ceil(this.keepsMs(topic) / DAY_MS);
    if (days <= this.deps.config.erasureMemoryDays) return [];
    const duration = days === Infinity ? 'for ever' : `for up to ${days} days`;
    return [
      `${topic} keeps records ${duration} (retention.ms + segment.ms): set ERASURE_MEMORY_DAYS to no less`,
    ];
  }

  private compare({ name, partitions }: ITopicMetadata): Settings {
    const wanted = Object.entries(this.wanted(name, partitions[0]?.replicas.length ?? 0));
    const missing = wanted.filter(([setting, value]) => {
      const actual = this.get(name, setting) ?? value;
      return actual !== value && !(MINIMA.includes(setting) && Number(actual) > Number(value));
    });
    return Object.fromEntries(missing);
  }

  private wanted(topic: string, replicas: number): Settings {
    const { deadLetterTopic, eventsTopic, retentionDays } = this.deps.config;
    return {
      ...(topic === eventsTopic ? COMPACTED : deletedAfter(retentionDays)),
      'compression.type': 'producer',
      'message.timestamp.type': 'LogAppendTime', // Else brokers reject records of a process with a wrong clock.
      'unclean.leader.election.enable': 'false',
      // Kafka's default; the largest such record still fits with the headers that a dead letter adds.
      'max.message.bytes': topic === deadLetterTopic ? '4194304' : '1048588',
      ...(replicas >= SAFE_REPLICAS && { 'min.insync.replicas': '2' }),
    };
  }
}

/** The last record of each user is kept for ever. */
const COMPACTED: Settings = {
  'cleanup.policy': 'compact',
  'max.compaction.lag.ms': String(COMPACTION_MS),
  'delete.retention.ms': String(COMPACTION_MS),
};

function deletedAfter(days: number): Settings {
  return {
    'cleanup.policy': 'delete', // Compaction keeps the last record of an email: it is the first that counts.
    'retention.bytes': '-1',
    'retention.ms': String(days * DAY_MS),
  };
}

/** By topic or broker; none when the user may not read them. */
export async function readSettings(
  admin: Admin,
  resources: ResourceConfigQuery[],
): Promise<ReadonlyMap<string, Settings>> {
  try {
    const described = await admin.describeConfigs({ includeSynonyms: false, resources });
    const settingsOf = described.resources.map(({ resourceName, configEntries }) => {
      const settings = configEntries.map(({ configName, configValue }) => [configName, configValue] as const);
      return [resourceName, Object.fromEntries(settings)] as const;
    });
    return new Map(settingsOf);
  } catch (error) {
    if (protocolErrorType(error)?.endsWith('AUTHORIZATION_FAILED')) return new Map();
    throw error;
  }
}

function toCommand([topic, settings]: readonly [string, Settings]): string {
  const changes = Object.entries(settings).map((change) => change.join('='));
  return `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${changes.join()}`;
}

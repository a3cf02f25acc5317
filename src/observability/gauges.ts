import { Gauge, type Registry } from 'prom-client';

/** In front of the name of each of the service's own metrics. */
export const PREFIX = 'registration_';

interface PartitionLag {
  readonly partition: number;
  readonly committed: bigint;
  readonly logEnd: bigint;
}

/** What is read at each scrape: from memory, never from a dependency. */
export interface Sources {
  readonly sendQueue: { readonly depth: number; readonly oldestAgeMs: number };
  readonly consumer: { readonly oldestInFlightAt: number | undefined };
  /** Nothing when it is not known. */
  readonly consumerLag: { readonly latest: readonly PartitionLag[] };
  /** By topic: the settings that it should have and does not have. */
  readonly topics: { readonly settings: { readonly missing: ReadonlyMap<string, object> } };
  readonly liveness: { readonly silenceMs: number };
  readonly health: { isReady(): boolean };
  readonly dependencies: readonly { readonly name: string; readonly isHealthy: boolean }[];
  readonly redis: { readonly mayEvict: boolean };
  readonly pool: { readonly usage: Readonly<Record<'used' | 'idle' | 'waiting' | 'max', number>> };
}

/** The metrics that are read at each scrape. Labels take values from short, fixed lists. */
export class Gauges {
  constructor(private readonly registry: Registry) {}

  buildInfo(version: string, revision: string): void {
    const help = 'Always 1; the labels say what runs: the package’s version and the commit';
    this.gauge('build_info', help, ['version', 'revision'], (gauge) => gauge.set({ version, revision }, 1));
  }

  /** Registers all of them. */
  register(sources: Sources): void {
    const { sendQueue, consumer, consumerLag, topics, liveness, health, dependencies, redis, pool } = sources;
    this.gaugeValue(
      'send_queue_records',
      'Records that wait for Kafka’s confirmation',
      () => sendQueue.depth,
    );
    this.gaugeValue(
      'send_queue_oldest_age_seconds',
      'How long the oldest of them has waited',
      () => sendQueue.oldestAgeMs / 1000,
    );
    this.gaugeValue(
      'oldest_unstored_age_seconds',
      'Age of the oldest record that this process has fetched and not written yet; 0 without one',
      () => (consumer.oldestInFlightAt === undefined ? 0 : (Date.now() - consumer.oldestInFlightAt) / 1000),
    );
    this.watchLag(consumerLag);
    this.gaugeValue(
      'consumer_silence_seconds',
      'Time since the consumer’s last sign of life; back-off counts as one; 0 without a consumer',
      () => liveness.silenceMs / 1000,
    );
    this.gaugeValue('ready', '1 when /ready answers 200', () => Number(health.isReady()));
    this.gauge(
      'dependency_up',
      '1 when the last background check found it healthy',
      ['dependency'],
      (gauge) => {
        for (const { name, isHealthy } of dependencies) gauge.set({ dependency: name }, Number(isHealthy));
      },
    );
    this.watchTopics(topics);
    this.gaugeValue('redis_may_evict_keys', '1 when Redis’ maxmemory-policy is not noeviction', () =>
      Number(redis.mayEvict),
    );
    this.watchPool(pool);
  }

  private watchTopics({ settings }: Sources['topics']): void {
    const help = '1 for each setting that a topic should have and does not have';
    this.gauge('topic_settings_wrong', help, ['topic', 'setting'], (gauge) => {
      gauge.reset();
      for (const [topic, missing] of settings.missing) {
        for (const setting of Object.keys(missing)) gauge.set({ topic, setting }, 1);
      }
    });
  }

  private watchPool(pool: Sources['pool']): void {
    this.gauge('postgres_connections', 'Connections of the pool, by state', ['state'], (gauge) => {
      gauge.set({ state: 'used' }, pool.usage.used);
      gauge.set({ state: 'idle' }, pool.usage.idle);
    });
    this.gaugeValue('postgres_connections_max', 'DB_POOL_MAX', () => pool.usage.max);
    this.gaugeValue(
      'postgres_waiting_queries',
      'Queries that wait for a connection',
      () => pool.usage.waiting,
    );
  }

  private watchLag(consumerLag: Sources['consumerLag']): void {
    const byPartition = (name: string, help: string, read: (lag: PartitionLag) => bigint): void =>
      this.gauge(name, `${help}, by partition; absent while it is not known`, ['partition'], (gauge) => {
        gauge.reset();
        for (const each of consumerLag.latest) gauge.set({ partition: each.partition }, Number(read(each)));
      });
    byPartition(
      'consumer_lag_records',
      'Records that the whole consumer group has still to write',
      ({ committed, logEnd }) => logEnd - committed,
    );
    byPartition(
      'consumer_offset',
      'Offset of the next record that the group has to write',
      ({ committed }) => committed,
    );
  }

  private gaugeValue(name: string, help: string, read: () => number): void {
    this.gauge(name, help, [], (gauge) => gauge.set(read()));
  }

  private gauge<L extends string>(
    name: string,
    help: string,
    labelNames: L[],
    read: (gauge: Gauge<L>) => void,
  ): void {
    const gauge: Gauge<L> = new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => read(gauge),
    });
  }
}

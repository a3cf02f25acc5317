import { Gauge, type Registry } from 'prom-client';

/** In front of the name of each of the service's own metrics. */
export const PREFIX = 'registration_';

/** What is read at each scrape: from memory, never from a dependency. */
export interface Sources {
  readonly sendQueue: { readonly depth: number; readonly oldestAgeMs: number };
  readonly consumer: { readonly oldestInFlightAt: number | undefined };
  /** Nothing when it is not known. */
  readonly consumerLag: {
    readonly latest: readonly Readonly<{ partition: number; committed: bigint; logEnd: bigint }>[];
  };
  /** By topic: the settings that it should have and does not have. */
  readonly topics: { readonly settings: { readonly missing: ReadonlyMap<string, object> } };
  readonly sweeper: { readonly unfinished: number };
  readonly liveness: { readonly silenceMs: number };
  readonly health: { isReady(): boolean };
  readonly dependencies: readonly { readonly name: string; readonly isHealthy: boolean }[];
  readonly redis: { readonly mayEvict: boolean };
  readonly pool: { readonly usage: Readonly<Record<'used' | 'idle' | 'waiting' | 'max', number>> };
}

type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number];
type Row = readonly [name: string, help: string, read: () => number | Sample[], ...labelNames: string[]];

/** Registers the metrics that are read at each scrape. Labels take values from short, fixed lists. */
export function registerGauges(registry: Registry, sources: Sources): void {
  for (const [name, help, read, ...labelNames] of [...pipelineGauges(sources), ...serverGauges(sources)]) {
    const gauge: Gauge = new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames,
      registers: [registry],
      collect: () => {
        gauge.reset();
        const samples = read();
        if (typeof samples === 'number') gauge.set(samples);
        else for (const [labels, value] of samples) gauge.set(labels, value);
      },
    });
  }
}

function pipelineGauges({ sendQueue, consumer, consumerLag, liveness, sweeper }: Sources): Row[] {
  const age = 'Age of the oldest record that this process has fetched and not written yet; 0 without one';
  const lag = 'Records that the whole consumer group has still to write';
  const offset = 'Offset of the next record that the group has to write';
  const byPartition = ', by partition; absent while it is not known';
  const silence = 'Time since the consumer’s last sign of life; back-off counts as one; 0 without a consumer';
  const oldestAge = ({ oldestInFlightAt: at }: typeof consumer): number =>
    at === undefined ? 0 : (Date.now() - at) / 1000;
  const lags = (): Sample[] =>
    consumerLag.latest.map(({ partition, ...each }) => [{ partition }, Number(each.logEnd - each.committed)]);
  const offsets = (): Sample[] =>
    consumerLag.latest.map(({ partition, committed }) => [{ partition }, Number(committed)]);
  return [
    ['send_queue_records', 'Records that wait for Kafka’s confirmation', () => sendQueue.depth],
    [
      'send_queue_oldest_age_seconds',
      'How long the oldest of them has waited',
      () => sendQueue.oldestAgeMs / 1000,
    ],
    ['oldest_unstored_age_seconds', age, () => oldestAge(consumer)],
    ['consumer_lag_records', lag + byPartition, lags, 'partition'],
    ['consumer_offset', offset + byPartition, offsets, 'partition'],
    ['consumer_silence_seconds', silence, () => liveness.silenceMs / 1000],
    [
      'erasures_unfinished',
      'Erasures that Redis was not cleaned of yet, or not announced',
      () => sweeper.unfinished,
    ],
  ];
}

function serverGauges({ topics, health, dependencies, redis, pool }: Sources): Row[] {
  const up = (): Sample[] =>
    dependencies.map(({ name, isHealthy }) => [{ dependency: name }, Number(isHealthy)]);
  const wrong = '1 for each setting that a topic should have and does not have';
  const wrongSettings = (): Sample[] =>
    [...topics.settings.missing].flatMap(([topic, missing]) =>
      Object.keys(missing).map((setting): Sample => [{ topic, setting }, 1]),
    );
  const connections = (): Sample[] =>
    (['used', 'idle'] as const).map((state) => [{ state }, pool.usage[state]]);
  return [
    ['ready', '1 when /ready answers 200', () => Number(health.isReady())],
    ['dependency_up', '1 when the last background check found it healthy', up, 'dependency'],
    ['topic_settings_wrong', wrong, wrongSettings, 'topic', 'setting'],
    [
      'redis_may_evict_keys',
      '1 when Redis’ maxmemory-policy is not noeviction',
      () => Number(redis.mayEvict),
    ],
    ['postgres_connections', 'Connections of the pool, by state', connections, 'state'],
    ['postgres_connections_max', 'DB_POOL_MAX', () => pool.usage.max],
    ['postgres_waiting_queries', 'Queries that wait for a connection', () => pool.usage.waiting],
  ];
}

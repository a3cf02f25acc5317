import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { DEAD_LETTER_REASONS, type DeadLetterReason } from '../services/ports/messaging';
import type { PipelineMetrics, RecordRequest, UniquenessSource } from '../services/ports/telemetry';

const PREFIX = 'registration_';
const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

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
  readonly liveness: { readonly silenceMs: number };
  readonly health: { isReady(): boolean };
  readonly dependencies: readonly { readonly name: string; readonly isHealthy: boolean }[];
  readonly redis: { readonly mayEvict: boolean };
  readonly pool: { readonly usage: Readonly<Record<'used' | 'idle' | 'waiting' | 'max', number>> };
}

/** Every metric of the service, each declared here and in the README. Labels take values from short, fixed lists. */
export class Metrics implements PipelineMetrics {
  readonly registry = new Registry();
  readonly logLinesDropped = new Counter({
    name: `${PREFIX}log_lines_dropped_total`,
    help: 'Log lines that were lost because stdout was not read, or not fast enough',
    registers: [this.registry],
  });

  private readonly requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until the response was sent. Route is the pattern, "unmatched" without one, "shed" under overload, "client_error" when it was not HTTP; status "aborted" when the client left',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  private readonly persistDelay = new Histogram({
    name: `${PREFIX}persist_delay_seconds`,
    help: 'Time from accepting a registration to its row; a record that is delivered again counts again',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600],
    registers: [this.registry],
  });
  private readonly decidedAlone = new Counter({
    name: `${PREFIX}degraded_decisions_total`,
    help: 'Registrations decided while this dependency was unavailable or too slow: one of them may end as a conflict',
    labelNames: ['dependency'],
    registers: [this.registry],
  });
  private readonly sends = new Histogram({
    name: `${PREFIX}produce_duration_seconds`,
    help: 'Time of one send to Kafka, by result: confirmed or failed (and repeated)',
    labelNames: ['result'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.registry],
  });
  private readonly batches = new Histogram({
    name: `${PREFIX}batch_records`,
    help: 'Records of one batch written to PostgreSQL',
    buckets: [1, 5, 10, 25, 50, 100, 250, 500],
    registers: [this.registry],
  });
  private readonly rejectedWrites = new Counter({
    name: `${PREFIX}rejected_writes_total`,
    help: 'Attempts at writing a batch that PostgreSQL rejected, whereupon it waits, by SQLSTATE and constraint or column',
    labelNames: ['sqlstate', 'constraint'],
    registers: [this.registry],
  });
  private readonly deadLetters = new Counter({
    name: `${PREFIX}dead_letters_total`,
    help: 'Records that became no row, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });

  constructor(revision: string) {
    collectDefaultMetrics({ register: this.registry });
    for (const reason of DEAD_LETTER_REASONS) this.deadLetters.inc({ reason }, 0);
    for (const dependency of ['redis', 'postgres']) this.decidedAlone.inc({ dependency }, 0);
    const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
      version: string;
    };
    this.gauge(
      'build_info',
      'Always 1; the labels say what runs: the package’s version and the commit',
      ['version', 'revision'],
      (gauge) => gauge.set({ version, revision }, 1),
    );
  }

  /** Adds what is read at each scrape. */
  registerGauges(sources: Sources): void {
    const { sendQueue, consumer, consumerLag, liveness, health, dependencies, redis, pool } = sources;
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
    this.gaugeValue('redis_may_evict_keys', '1 when Redis’ maxmemory-policy is not noeviction', () =>
      Number(redis.mayEvict),
    );
    this.watchPool(pool);
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

  // An arrow function: it is handed over by itself.
  readonly recordRequest: RecordRequest = (method, route, status, seconds) => {
    this.requests.observe(
      { method: METHODS.has(method) ? method : 'other', route, status: String(status) },
      seconds,
    );
  };

  decidedDegraded(dependency: UniquenessSource): void {
    this.decidedAlone.inc({ dependency });
  }

  produced(seconds: number, isConfirmed: boolean): void {
    this.sends.observe({ result: isConfirmed ? 'confirmed' : 'failed' }, seconds);
  }

  batchWritten(records: number): void {
    this.batches.observe(records);
  }

  writeRejected(sqlState: string, constraint = ''): void {
    this.rejectedWrites.inc({ sqlstate: sqlState, constraint });
  }

  persisted(seconds: number): void {
    this.persistDelay.observe(seconds);
  }

  deadLettered(reason: DeadLetterReason): void {
    this.deadLetters.inc({ reason });
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

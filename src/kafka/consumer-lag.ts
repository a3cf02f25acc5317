import type { Kafka } from 'kafkajs';
import type { Config } from '../config/config';
import { pause } from '../runtime/backoff';
import type { Logger, PipelineMetrics } from '../services/ports/telemetry';
import { withAdmin } from './client';
import type { OffsetReset } from './kafkajs-patches';

const FIRST_READING_MS = 1000;
const READING_INTERVAL_MS = 10_000;
// Drop stale values: a missing series is noticed, an old one is not.
const MAX_AGE_MS = 60_000;
const LOST = 'records lost: Kafka deleted them before they were read';

/** How far the consumer group is in one partition; offsets as Kafka counts them. */
export interface PartitionLag {
  readonly partition: number;
  /** Offset of the next record to write: the committed one, or the partition's first one before any commit. */
  readonly committed: bigint;
  /** Offset after the last record. */
  readonly logEnd: bigint;
  /** Offset of the first record: those before it are deleted. */
  readonly logStart: bigint;
  /** Whether the group has committed an offset. */
  readonly isCommitted: boolean;
}

export interface ConsumerLagDeps {
  /** Asks Kafka once; has a time limit of its own. */
  readonly read: () => Promise<readonly PartitionLag[]>;
  readonly metrics: Pick<PipelineMetrics, 'recordsLost'>;
  readonly log: Logger;
}

/**
 * Reads the lag of the whole consumer group every 10 s, whether or not this process has a consumer. When asked, reports
 * records that Kafka deleted, as its retention demands, before the group had read them; each of them once.
 */
export class ConsumerLag {
  readonly name = 'consumer lag';
  readonly stopTimeoutMs = 1000;
  private readonly stopping = new AbortController();
  private reading: readonly PartitionLag[] = [];
  private readAt = -Infinity;
  /** By partition: the end of what is reported as lost. */
  private readonly reported = new Map<number, bigint>();

  constructor(private readonly deps: ConsumerLagDeps) {}

  start(): void {
    void this.poll();
  }

  /** A reading in flight ends by itself. */
  stop(): void {
    this.stopping.abort();
  }

  /** The last reading, the same array until the next one; empty when the last minute brought none. */
  get latest(): readonly PartitionLag[] {
    return performance.now() - this.readAt < MAX_AGE_MS ? this.reading : [];
  }

  /** Those before the group's first read, and those that a reset of its offset skips. Rejects while Kafka is unavailable. */
  async reportLost(reset?: OffsetReset): Promise<void> {
    for (const { partition, logStart, isCommitted } of await this.deps.read()) {
      const read = isCommitted ? logStart : (this.reported.get(partition) ?? 0n);
      const first = reset?.partition === partition ? reset.wanted : read;
      if (first >= logStart) continue;
      this.reported.set(partition, logStart);
      const [from, to] = [Number(first), Number(logStart) - 1];
      this.deps.metrics.recordsLost(to - from + 1);
      this.deps.log.error(LOST, { partition, from, to });
    }
  }

  /** In the background; where the lag cannot be read it is not known how many records are lost. */
  reportReset(reset: OffsetReset): void {
    const [partition, from] = [reset.partition, Number(reset.wanted)];
    this.reportLost(reset).catch((error: unknown) => this.deps.log.error(LOST, { partition, from, error }));
  }

  private async poll(): Promise<void> {
    const { signal } = this.stopping;
    await pause(FIRST_READING_MS, signal);
    while (!signal.aborted) {
      await this.read();
      await pause(READING_INTERVAL_MS, signal);
    }
  }

  private async read(): Promise<void> {
    try {
      this.reading = await this.deps.read();
      this.readAt = performance.now();
    } catch (error) {
      this.deps.log.debug('could not read consumer lag', { error });
    }
  }
}

/** Asks Kafka for the group's lag, by partition. Rejects while Kafka is unavailable or the topic is missing. */
export function readConsumerLag(kafka: Kafka, config: Config['kafka']): Promise<PartitionLag[]> {
  const { groupId, topic } = config;
  return withAdmin(kafka, async (admin) => {
    // Committed offsets first: records written in between then show as lag, never as a negative one.
    const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const offsets = new Map(group?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => {
      const offset = offsets.get(partition) ?? -1n;
      const [logStart, logEnd] = [BigInt(low), BigInt(high)];
      // -2 stands for the log's start, which is what kafkajs commits when it resets an offset.
      const committed = offset < 0n ? logStart : offset;
      return { partition, committed, logEnd, logStart, isCommitted: offset !== -1n };
    });
  });
}

import { pause } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import type { ConsumerBatches } from './consumer-batches';
import type { PartitionLag } from './consumer-lag';

// Longer than any expected silence (a join waits for the rebalance timeout), and half of what /live allows: the next
// consumer has as long again to show a sign of life.
const MAX_SILENCE_MS = 30_000;
const CHECK_INTERVAL_MS = 1000;
const STALLED_READINGS = 3;

/** What is watched of one consumer. */
export type WatchedConsumer = Pick<ConsumerBatches, 'partitions' | 'isWaiting'>;

/** Detects a consumer that stalls without an error: it is silent, or it fetches and a partition does not advance. */
export class StallDetector {
  constructor(
    private readonly liveness: Pick<Liveness, 'silenceMs'>,
    private readonly lag: { readonly latest: readonly PartitionLag[] },
  ) {}

  /** Calls `onStall` once at most. Resolves after that, or soon after `signal` aborts. */
  async watch(
    consumer: WatchedConsumer,
    onStall: (reason: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const builtAt = performance.now();
    const partitions = new StalledPartitions(consumer);
    let reason: string | undefined;
    while (reason === undefined) {
      await pause(CHECK_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const isSilent = Math.min(this.liveness.silenceMs, performance.now() - builtAt) >= MAX_SILENCE_MS;
      reason = isSilent ? `no sign of life for ${MAX_SILENCE_MS} ms` : partitions.observe(this.lag.latest);
    }
    onStall(reason);
  }
}

/** Compares readings of the lag since the consumer last joined the group. */
class StalledPartitions {
  private partitions: readonly number[] = [];
  private latest: readonly PartitionLag[] = [];
  private readonly seen = new Map<number, { readonly committed: bigint; readonly stalledTimes: number }>();

  constructor(private readonly consumer: WatchedConsumer) {}

  /** Takes in a reading, each once. Returns what is wrong, if anything is. */
  observe(reading: readonly PartitionLag[]): string | undefined {
    if (reading === this.latest) return undefined;
    this.latest = reading;
    if (this.partitions !== this.consumer.partitions) this.seen.clear();
    this.partitions = this.consumer.partitions;
    return reading
      .filter(({ partition }) => this.partitions.includes(partition) && !this.consumer.isWaiting(partition))
      .map((lag) => this.observePartition(lag))
      .find((reason) => reason !== undefined);
  }

  private observePartition({ partition, committed, logEnd }: PartitionLag): string | undefined {
    const before = this.seen.get(partition);
    const stalledTimes = before?.committed === committed ? before.stalledTimes + 1 : 1;
    this.seen.set(partition, { committed, stalledTimes: committed < logEnd ? stalledTimes : 0 });
    // Kafka forgets the group's offsets when the topic is deleted: the consumer's own offset is of the old topic.
    if (before && committed < before.committed) return `offset of partition ${partition} is lost`;
    return committed < logEnd && stalledTimes >= STALLED_READINGS
      ? `partition ${partition} has lag and is not advancing`
      : undefined;
  }
}

import type { Kafka } from 'kafkajs';
import type { Config } from '../config/config';
import { pause } from '../runtime/backoff';
import type { Logger } from '../services/ports/telemetry';
import { withAdmin } from './with-admin';

const FIRST_READING_MS = 1000;
const READING_INTERVAL_MS = 10_000;
// Drop stale values: a missing series is noticed, an old one is not.
const MAX_AGE_MS = 60_000;

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
  readonly log: Logger;
}

/** Reads the lag of the whole consumer group every 10 s, whether or not this process has a consumer. */
export class ConsumerLag {
  readonly name = 'consumer lag';
  readonly stopTimeoutMs = 1000;
  private readonly stopping = new AbortController();
  private reading: readonly PartitionLag[] = [];
  private readAt = -Infinity;

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
export async function readConsumerLag(
  kafka: Kafka,
  { groupId, topic }: Pick<Config['kafka'], 'groupId' | 'topic'>,
): Promise<PartitionLag[]> {
  return withAdmin(kafka, async (admin) => {
    // Committed offsets first: records written in between then show as lag, never as a negative one.
    const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const offsets = new Map(group?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => {
      const offset = offsets.get(partition) ?? -1n;
      const [logStart, logEnd] = [BigInt(low), BigInt(high)];
      // -2 stands for the log's start, which is what kafkajs commits when it resets an offset.
      return {
        partition,
        committed: offset < 0n ? logStart : offset,
        logEnd,
        logStart,
        isCommitted: offset !== -1n,
      };
    });
  });
}

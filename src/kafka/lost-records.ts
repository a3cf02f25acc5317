import type { Logger, PipelineMetrics } from '../services/ports/telemetry';
import type { PartitionLag } from './consumer-lag';
import type { OffsetReset } from './kafkajs-patches';

const LOST = 'records lost: Kafka deleted them before they were read';

export interface LostRecordsDeps {
  readonly readLag: () => Promise<readonly PartitionLag[]>;
  readonly metrics: Pick<PipelineMetrics, 'recordsLost'>;
  readonly log: Pick<Logger, 'error'>;
}

/** Reports records that Kafka deleted, as its retention demands, before the group had read them; each of them once. */
export class LostRecords {
  /** By partition: the end of what is reported. */
  private readonly reported = new Map<number, bigint>();

  constructor(private readonly deps: LostRecordsDeps) {}

  /** Those before the group's first read, and those that a reset of its offset skips. Rejects while Kafka is unavailable. */
  async report(reset?: OffsetReset['reset']): Promise<void> {
    for (const { partition, logStart, isCommitted } of await this.deps.readLag()) {
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
  reportReset(reset: NonNullable<OffsetReset['reset']>): void {
    this.report(reset).catch((error: unknown) =>
      this.deps.log.error(LOST, { partition: reset.partition, from: Number(reset.wanted), error }),
    );
  }
}

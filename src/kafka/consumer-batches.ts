import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { RejectedError, UnavailableError } from '../domain/errors';
import { Backoff, pause } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import type { ReceivedRecord } from '../services/ports/messaging';
import type { Logger, PipelineMetrics } from '../services/ports/telemetry';
import { headerText, REQUEST_ID_HEADER } from '../services/registration-record';
import type { BacklogThrottle } from './backlog-throttle';

const BATCH_RECORDS = 500;
// So few that a request waits for one write no longer than for other requests.
const THROTTLED_BATCH_RECORDS = 100;
// So few at a time take long with a slow server: after this the rest of a fetch is written without throttling.
const MAX_THROTTLE_MS = 3000;
// After one that took too long, the next write may have twice the records of one that took less.
const FAST_WRITE_MS = 2000;
const HEARTBEAT_MS = 1000;
const MAX_WRITE_MS = 30_000;

export interface ConsumerBatchesDeps {
  readonly writer: { write(records: readonly ReceivedRecord[]): Promise<void> };
  readonly throttle: Pick<BacklogThrottle, 'shouldThrottle' | 'runThrottled'>;
  readonly liveness: Liveness;
  readonly metrics: Pick<PipelineMetrics, 'batchWritten' | 'writeRejected'>;
  readonly log: Logger;
}

/** Hands fetched records to the writer, some hundreds at a time, and commits the offset after each part. */
export class ConsumerBatches {
  /** By partition: when the oldest unwritten record of its batch was sent, epoch milliseconds. */
  private readonly inFlight = new Map<number, number>();
  /** The partitions whose last write failed. */
  private readonly retrying = new Set<number>();
  /** By partition: how many records may be written at once, after a write took too long. */
  private readonly maxRecords = new Map<number, number>();

  constructor(
    private readonly deps: ConsumerBatchesDeps,
    private readonly stopping: AbortSignal,
  ) {}

  /**
   * Whether the partition has to wait: its own batch is in flight, or another one is being retried, and kafkajs fetches
   * from a broker only when all batches of its last fetch are done. Another one's write that hangs is no reason.
   */
  isWaiting(partition: number): boolean {
    return this.inFlight.has(partition) || this.retrying.size > 0;
  }

  /** When the oldest record that is fetched and not written was sent, epoch milliseconds; undefined without one. */
  get oldestInFlightAt(): number | undefined {
    return this.inFlight.size > 0 ? Math.min(...this.inFlight.values()) : undefined;
  }

  /** Returns early, with the rest uncommitted, when the consumer ends or the partition is no longer ours. */
  async write(payload: EachBatchPayload): Promise<void> {
    const { partition } = payload.batch;
    try {
      await this.writeParts(payload);
    } finally {
      this.inFlight.delete(partition);
      this.retrying.delete(partition);
    }
  }

  private async writeParts(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const isThrottled = this.deps.throttle.shouldThrottle(payload.batch);
    const throttleUntil = isThrottled ? performance.now() + MAX_THROTTLE_MS : 0;
    let start = 0;
    while (start < messages.length) {
      const throttled = performance.now() < throttleUntil;
      const part = messages.slice(start, start + (throttled ? THROTTLED_BATCH_RECORDS : BATCH_RECORDS));
      this.inFlight.set(partition, Number(part[0]?.timestamp));
      const records = part.map((message) => toRecord(topic, partition, message));
      const written = await this.writeUntilDone(records, payload, throttled);
      if (written === 0) return;
      start += written;
      // A consumer that was replaced may be at an offset of a deleted topic. After a stop the offset is right.
      if (!payload.isRunning() && !this.stopping.aborted) return;
      const last = messages[start - 1] as KafkaMessage; // A part holds at least one message.
      await this.commit(last.offset, payload);
    }
  }

  /**
   * Resolves to how many are written, from the first on: fewer than all when that took too long; none when the consumer ends
   * first. Nothing is skipped: what cannot be written now is retried for ever.
   */
  private async writeUntilDone(
    all: readonly ReceivedRecord[],
    payload: EachBatchPayload,
    throttled: boolean,
  ): Promise<number> {
    const { writer, throttle, liveness, metrics, log } = this.deps;
    const { topic, partition } = payload.batch;
    const backoff = new Backoff({ minMs: 100, maxMs: 3000 });
    while (!this.stopping.aborted && payload.isRunning() && !payload.isStale()) {
      const max = this.maxRecords.get(partition) ?? BATCH_RECORDS;
      const records = all.slice(0, max);
      const write = (): Promise<void> => writer.write(records);
      const startedAt = performance.now();
      const writing = (throttled ? throttle.runThrottled(write) : write()).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      await keepSession(writing, payload);
      const failure = await writing;
      if (failure === undefined) {
        this.retrying.delete(partition);
        metrics.batchWritten(records.length);
        const isFast = performance.now() - startedAt < FAST_WRITE_MS;
        if (isFast) this.maxRecords.set(partition, Math.min(max * 2, BATCH_RECORDS));
        return records.length;
      }
      this.retrying.add(partition);
      const { error } = failure;
      if (error instanceof RejectedError) {
        metrics.writeRejected(error.sqlState, error.constraint);
        if (error.isTimeout) this.maxRecords.set(partition, Math.ceil(records.length / 2));
      }
      // An outage is a warning; anything else holds the partition until someone acts. The first record is the one to look at
      // then: its request's log lines say more.
      const level = error instanceof UnavailableError ? 'warn' : 'error';
      log[level]('batch write failed, retrying', { topic, partition, ...idsOf(records[0]), error });
      liveness.tick();
      await backoff.wait(this.stopping);
      await payload.heartbeat();
    }
    return 0;
  }

  private async commit(last: string, { batch, ...payload }: EachBatchPayload): Promise<void> {
    const { topic, partition } = batch;
    payload.resolveOffset(last);
    const offset = String(BigInt(last) + 1n);
    await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
    await payload.heartbeat();
  }
}

/**
 * Sends heartbeats until `work`, which never rejects, is done, for MAX_WRITE_MS at most: work that hangs must not seem
 * alive. Throws, once the work is done, when the group has removed this consumer.
 */
async function keepSession(work: Promise<unknown>, payload: EachBatchPayload): Promise<void> {
  const over = new AbortController();
  const end = work.then(() => over.abort());
  const giveUpAt = performance.now() + MAX_WRITE_MS;
  try {
    while (performance.now() < giveUpAt) {
      await pause(HEARTBEAT_MS, over.signal);
      if (over.signal.aborted) return;
      await payload.heartbeat();
    }
  } finally {
    await end;
  }
}

function idsOf(record: ReceivedRecord | undefined): object {
  return record ? { offset: record.offset, requestId: headerText(record, REQUEST_ID_HEADER) } : {};
}

function toRecord(topic: string, partition: number, message: KafkaMessage): ReceivedRecord {
  const { key, value, headers, offset } = message;
  return { topic, partition, offset, key, value, headers: headers ?? {} };
}

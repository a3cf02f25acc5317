import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { RejectedError, UnavailableError } from '../domain/errors';
import { Backoff, pause } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import type { ReceivedRecord } from '../services/ports/messaging';
import type { Logger, PipelineMetrics } from '../services/ports/telemetry';
import { headerText, REQUEST_ID_HEADER } from '../services/registration-record';
import type { BacklogThrottle } from './backlog-throttle';
import { FetchPacer } from './fetch-pacer';

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
  /** Those that the consumer was assigned when it last joined the group: a new array with each join. */
  partitions: readonly number[] = [];
  /** By partition: when the oldest unwritten record of its batch was sent, epoch milliseconds. */
  private readonly inFlight = new Map<number, number>();
  /** The partitions whose last write failed. */
  private readonly retrying = new Set<number>();
  /** By partition: how many records may be written at once, after a write took too long. */
  private readonly maxRecords = new Map<number, number>();
  private readonly pacer = new FetchPacer();

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

  /**
   * Returns early, with the rest uncommitted, when the consumer ends or the partition is no longer ours; late, while many
   * records come: kafkajs fetches again when all batches of a fetch are done.
   */
  async write(payload: EachBatchPayload): Promise<void> {
    const { messages, highWatermark } = payload.batch;
    const isBacklog = Number(messages.at(-1)?.offset) + 1 < Number(highWatermark);
    const fetchAgainAt = performance.now() + this.pacer.observe(messages.length);
    await this.writeParts(payload);
    const leftMs = fetchAgainAt - performance.now();
    if (leftMs > 0 && !isBacklog) await pause(leftMs, this.stopping);
  }

  private async writeParts(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const isThrottled = this.deps.throttle.shouldThrottle(payload.batch);
    const throttleUntil = isThrottled ? performance.now() + MAX_THROTTLE_MS : 0;
    try {
      for (let start = 0; start < messages.length;) {
        const throttled = performance.now() < throttleUntil;
        const part = messages.slice(start, start + (throttled ? THROTTLED_BATCH_RECORDS : BATCH_RECORDS));
        this.inFlight.set(partition, Number(part[0]?.timestamp));
        const records = part.map(({ key, value, headers = {}, offset, timestamp }) => {
          return { topic, partition, offset, key, value, headers, timestamp };
        });
        const written = await this.writeUntilDone(records, payload, throttled);
        if (written === 0) return;
        start += written;
        // A consumer that was replaced may be at an offset of a deleted topic. After a stop the offset is right.
        if (!payload.isRunning() && !this.stopping.aborted) return;
        const last = messages[start - 1] as KafkaMessage; // A part holds at least one message.
        payload.resolveOffset(last.offset);
        const offset = String(BigInt(last.offset) + 1n);
        await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
        await payload.heartbeat();
      }
    } finally {
      this.inFlight.delete(partition);
      this.retrying.delete(partition);
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
    const { writer, throttle, metrics } = this.deps;
    const { partition } = payload.batch;
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
      const failure = await keepSession(writing, payload);
      if (failure === undefined) {
        this.retrying.delete(partition);
        metrics.batchWritten(records.length);
        if (performance.now() - startedAt < FAST_WRITE_MS)
          this.maxRecords.set(partition, Math.min(max * 2, BATCH_RECORDS));
        return records.length;
      }
      this.onFailure(failure.error, records);
      await backoff.wait(this.stopping);
      await payload.heartbeat();
    }
    return 0;
  }

  private onFailure(error: unknown, records: readonly ReceivedRecord[]): void {
    const { liveness, metrics, log } = this.deps;
    const first = records[0] as ReceivedRecord; // A write has at least one.
    const { topic, partition, offset } = first;
    this.retrying.add(partition);
    if (error instanceof RejectedError) {
      metrics.writeRejected(error.sqlState, error.constraint);
      if (error.isTimeout) this.maxRecords.set(partition, Math.ceil(records.length / 2));
    }
    // An outage is a warning; anything else holds the partition until someone acts. The first record is the one to look at
    // then: its request's log lines say more.
    const level = error instanceof UnavailableError ? 'warn' : 'error';
    const requestId = headerText(first, REQUEST_ID_HEADER);
    log[level]('batch write failed, retrying', { topic, partition, offset, requestId, error });
    liveness.tick();
  }
}

/**
 * Sends heartbeats until `work`, which never rejects, is done, for MAX_WRITE_MS at most: work that hangs must not seem
 * alive. Throws, once the work is done, when the group has removed this consumer.
 */
async function keepSession<T>(work: Promise<T>, payload: EachBatchPayload): Promise<T> {
  const over = new AbortController();
  const end = work.then(() => over.abort());
  const giveUpAt = performance.now() + MAX_WRITE_MS;
  try {
    while (performance.now() < giveUpAt) {
      await pause(HEARTBEAT_MS, over.signal);
      if (over.signal.aborted) break;
      await payload.heartbeat();
    }
  } finally {
    await end;
  }
  return work;
}

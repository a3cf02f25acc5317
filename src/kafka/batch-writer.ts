import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import { Backoff, pause } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import type { Logger, Measurements, ReceivedRecord } from '../services/ports';
import { headerText, REQUEST_ID_HEADER } from '../services/registration-record';
import type { BacklogPace } from './backlog-throttle';

const BATCH_RECORDS = 500;
// So few that a request waits for one turn of a backlog no longer than for other requests.
const YIELDING_RECORDS = 100;
// So few at a time take long with a slow server: behind this, what is left of a fetch is written as without requests.
const LONGEST_YIELD_MS = 3000;
const HEARTBEAT_MS = 1000;
const LONGEST_WRITE_MS = 30_000;

export interface BatchWriterDeps {
  readonly writer: { write(records: readonly ReceivedRecord[]): Promise<void> };
  readonly pace: Pick<BacklogPace, 'mustYield' | 'inTurn'>;
  readonly liveness: Liveness;
  readonly measurements: Pick<Measurements, 'wrote'>;
  readonly log: Logger;
}

/** Hands fetched records to the writer, some hundreds at a time, and commits the offset behind each part. */
export class BatchWriter {
  /** By partition: when the oldest record of its batch was sent, epoch milliseconds. */
  private readonly inHand = new Map<number, number>();

  constructor(
    private readonly deps: BatchWriterDeps,
    private readonly stopping: AbortSignal,
  ) {}

  /** Whether a batch is being written, or waits to be. */
  get isWriting(): boolean {
    return this.inHand.size > 0;
  }

  /** When the oldest record that is not written yet was sent; undefined when there is none. */
  get oldestInHandAt(): number | undefined {
    return this.isWriting ? Math.min(...this.inHand.values()) : undefined;
  }

  /** Returns early, with the rest uncommitted, when the consumer ends or the partition is no longer ours. */
  async write(payload: EachBatchPayload): Promise<void> {
    const { partition } = payload.batch;
    try {
      await this.writeParts(payload);
    } finally {
      this.inHand.delete(partition);
    }
  }

  private async writeParts(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const yieldUntil = this.deps.pace.mustYield(payload.batch) ? performance.now() + LONGEST_YIELD_MS : 0;
    let start = 0;
    while (start < messages.length) {
      const mustYield = performance.now() < yieldUntil;
      const part = messages.slice(start, start + (mustYield ? YIELDING_RECORDS : BATCH_RECORDS));
      start += part.length;
      this.inHand.set(partition, Number(part[0]?.timestamp));
      const records = part.map((message) => toRecord(topic, partition, message));
      if (!(await this.writeUntilDone(records, payload, mustYield))) return;
      // A consumer that was given up may stand on a topic that is gone. A stop, though, leaves nothing to do again.
      if (!payload.isRunning() && !this.stopping.aborted) return;
      const last = part.at(-1) as KafkaMessage; // A part holds at least one message.
      await this.commit(last.offset, payload);
    }
  }

  /** False when the consumer ends first. Nothing is skipped: what cannot be written now is tried again, for ever. */
  private async writeUntilDone(
    records: readonly ReceivedRecord[],
    payload: EachBatchPayload,
    mustYield: boolean,
  ): Promise<boolean> {
    const { writer, pace, liveness, measurements, log } = this.deps;
    const { topic, partition } = payload.batch;
    const write = (): Promise<void> => writer.write(records);
    const backoff = new Backoff({ minMs: 100, maxMs: 3000 });
    while (!this.stopping.aborted && payload.isRunning() && !payload.isStale()) {
      const writing = (mustYield ? pace.inTurn(write) : write()).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      await keepSession(writing, payload);
      const failure = await writing;
      if (failure === undefined) {
        measurements.wrote(records.length);
        return true;
      }
      // An outage is a warning; anything else is a bug that holds the partition until someone looks.
      const level = failure.error instanceof UnavailableError ? 'warn' : 'error';
      // The first record is the one to look at when a bug holds the partition: its request's log lines say more.
      log[level]('batch not written yet', { topic, partition, ...idsOf(records[0]), ...failure });
      liveness.tick();
      await backoff.wait(this.stopping);
      await payload.heartbeat();
    }
    return false;
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
 * Sends heartbeats while `work`, which never rejects, goes on; but not for ever: work that hangs has to be found out.
 * Throws, once the work is over, when the group has gone on without this consumer.
 */
async function keepSession(work: Promise<unknown>, payload: EachBatchPayload): Promise<void> {
  const over = new AbortController();
  const end = work.then(() => over.abort());
  const giveUpAt = performance.now() + LONGEST_WRITE_MS;
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

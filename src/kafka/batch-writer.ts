import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import { Backoff } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import type { Logger, ReceivedRecord } from '../services/ports';

const BATCH_RECORDS = 500;

export interface BatchWriterDeps {
  readonly writer: { write(records: readonly ReceivedRecord[]): Promise<void> };
  readonly liveness: Liveness;
  readonly log: Logger;
}

/** Hands fetched records to the writer, up to BATCH_RECORDS at a time, and commits the offset behind each part. */
export class BatchWriter {
  constructor(
    private readonly deps: BatchWriterDeps,
    private readonly stopping: AbortSignal,
  ) {}

  /** Returns early, with the rest uncommitted, when the process stops or the partition is no longer ours. */
  async write(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    for (let start = 0; start < messages.length; start += BATCH_RECORDS) {
      if (!payload.isRunning() || payload.isStale()) return;
      const chunk = messages.slice(start, start + BATCH_RECORDS);
      const records = chunk.map((message) => toRecord(topic, partition, message));
      if (!(await this.writeUntilDone(records, payload))) return;
      const last = chunk.at(-1) as KafkaMessage; // A chunk holds at least one message.
      await this.commit(last.offset, payload);
    }
  }

  /** False when the process stops first. Nothing is skipped: what cannot be written now is tried again, for ever. */
  private async writeUntilDone(
    records: readonly ReceivedRecord[],
    payload: EachBatchPayload,
  ): Promise<boolean> {
    const { writer, liveness, log } = this.deps;
    const { topic, partition } = payload.batch;
    const backoff = new Backoff({ minMs: 100, maxMs: 3000 });
    while (!this.stopping.aborted) {
      try {
        await writer.write(records);
        return true;
      } catch (error) {
        // An outage is a warning; anything else is a bug that holds the partition until someone looks.
        const level = error instanceof UnavailableError ? 'warn' : 'error';
        log[level]('batch not written yet', { topic, partition, offset: records[0]?.offset, error });
        liveness.tick();
        await backoff.wait(this.stopping);
        await payload.heartbeat();
      }
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

function toRecord(topic: string, partition: number, message: KafkaMessage): ReceivedRecord {
  const { key, value, headers, offset } = message;
  return { topic, partition, offset, key, value, headers: headers ?? {} };
}

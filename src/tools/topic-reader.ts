import { randomUUID } from 'node:crypto';
import type { Consumer, Kafka } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import { closeWithin } from '../runtime/timeout';
import type { OffsetRange } from './tool-ports';
import { Reading, type MessageVisitor } from './reading';
import { withAdmin } from '../kafka/with-admin';

const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 4 * 1024 * 1024;
const SESSION_TIMEOUT_MS = 30_000;
const IDLE_LIMIT_MS = 10_000;
const IDLE_CHECK_MS = 250;
const LEAVE_TIMEOUT_MS = 4000;

export interface BoundedReaderDeps {
  readonly kafka: Kafka;
  /** What the names of the throw-away groups begin with, so that one rule can allow them. */
  readonly groupPrefix: string;
}

/** Reads given offsets of a topic once and leaves nothing behind: kafkajs needs a group, so each reading has its own. */
export class BoundedReader {
  constructor(private readonly deps: BoundedReaderDeps) {}

  /** `ranges` cover every partition. Throws UnavailableError when Kafka stays silent for 10 s. */
  async read(topic: string, ranges: readonly OffsetRange[], visitor: MessageVisitor): Promise<void> {
    if (ranges.every(({ from, to }) => from >= to)) return;
    const groupId = `${this.deps.groupPrefix}-${randomUUID()}`;
    const consumer = this.deps.kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES,
      allowAutoTopicCreation: false,
    });
    const reading = new Reading(ranges, visitor);
    const watch = setInterval(() => reading.failIfIdleFor(IDLE_LIMIT_MS), IDLE_CHECK_MS);
    try {
      const fail = (error: unknown): void =>
        reading.fail(new UnavailableError('Kafka failed', { cause: error }));
      consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
      this.run(consumer, topic, ranges, reading).catch(fail);
      await reading.ended;
    } finally {
      clearInterval(watch);
      await this.leave(consumer, groupId);
    }
  }

  private async run(
    consumer: Consumer,
    topic: string,
    ranges: readonly OffsetRange[],
    reading: Reading,
  ): Promise<void> {
    // Unlike eachBatch it also comes for fetches that held no record, only a transaction's marker.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
      reading.advance(payload.partition, BigInt(payload.lastOffset) + 1n),
    );
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: (payload) => reading.visit(payload) });
    // Only saves time: what lies outside the ranges is not visited anyway.
    for (const { partition, from } of ranges) consumer.seek({ topic, partition, offset: String(from) });
  }

  // Where it fails, the broker forgets the empty group by itself: it holds no offsets.
  private async leave(consumer: Consumer, groupId: string): Promise<void> {
    const leaving = async (): Promise<void> => {
      await consumer.disconnect();
      await withAdmin(this.deps.kafka, (admin) => admin.deleteGroups([groupId]));
    };
    await closeWithin(LEAVE_TIMEOUT_MS, leaving());
  }
}

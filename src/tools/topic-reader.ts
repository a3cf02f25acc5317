import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import { withAdmin } from '../kafka/client';
import { closeWithin } from '../runtime/timeout';

const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 4 * 1024 * 1024;
const SESSION_TIMEOUT_MS = 30_000;
const IDLE_LIMIT_MS = 10_000;
const IDLE_CHECK_MS = 250;
const LEAVE_TIMEOUT_MS = 2000;
const VISIT_RECORDS = 200;

/** Offsets of one partition, from `from` up to but not including `to`. */
export interface OffsetRange {
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
}

/** How far a read is, in offsets, the visited records included. */
export interface ReadProgress {
  readonly done: bigint;
  readonly total: bigint;
}

/** Gets up to 200 records of one partition, in order. */
type MessageVisitor = (
  partition: number,
  messages: readonly KafkaMessage[],
  progress: ReadProgress,
) => void | Promise<void>;

export interface TopicSource {
  readonly kafka: Kafka;
  readonly topic: string;
  /** Prefix of the temporary consumer groups' names, so that one ACL can allow them. */
  readonly groupPrefix: string;
}

/** How many offsets there are in all ranges. */
export function countOffsets(ranges: Iterable<OffsetRange>): bigint {
  return [...ranges].reduce((sum, { from, to }) => sum + (to - from), 0n);
}

/**
 * Reads `ranges`, which cover every partition, once. kafkajs reads only as a member of a consumer group: this one is
 * temporary, has no offsets, and is deleted afterwards. Throws UnavailableError when Kafka delivers nothing for 10 s.
 */
export async function readTopic(
  { kafka, topic, groupPrefix }: TopicSource,
  ranges: readonly OffsetRange[],
  visitor: MessageVisitor,
): Promise<void> {
  if (ranges.every(({ from, to }) => from >= to)) return;
  const groupId = `${groupPrefix}-${randomUUID()}`;
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: SESSION_TIMEOUT_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytes: FETCH_BYTES,
    allowAutoTopicCreation: false,
  });
  const read = new RangeRead(ranges, visitor);
  const idleCheck = setInterval(() => read.failIfIdle(IDLE_LIMIT_MS), IDLE_CHECK_MS);
  try {
    const fail = (error: unknown): void => read.fail(new UnavailableError('Kafka failed', { cause: error }));
    consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
    consume(consumer, topic, ranges, read).catch(fail);
    await read.finished;
  } finally {
    clearInterval(idleCheck);
    // If it fails, the broker deletes the empty group itself: it holds no offsets.
    const leaving = consumer
      .disconnect()
      .then(() => withAdmin(kafka, (admin) => admin.deleteGroups([groupId])));
    await closeWithin(LEAVE_TIMEOUT_MS, leaving);
  }
}

async function consume(
  consumer: Consumer,
  topic: string,
  ranges: readonly OffsetRange[],
  read: RangeRead,
): Promise<void> {
  // Unlike eachBatch it also comes for fetches that held no record, only a transaction's marker.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
    read.advance(payload.partition, BigInt(payload.lastOffset) + 1n),
  );
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ autoCommit: false, eachBatch: (payload) => read.visit(payload) });
  // Only saves time: records outside the ranges are not visited anyway.
  for (const { partition, from } of ranges) consumer.seek({ topic, partition, offset: String(from) });
}

/** One pass over offset ranges that are not all empty. Visits each record once, however often Kafka delivers it. */
export class RangeRead {
  /** Resolves when all ranges are read; rejects when the visitor or Kafka fails. */
  readonly finished: Promise<void>;
  private readonly left: Map<number, OffsetRange>;
  private readonly total: bigint;
  // A visitor at work is no idle time: Infinity.
  private lastActiveAt = performance.now();
  private resolve: () => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private isOver = false;

  constructor(
    ranges: readonly OffsetRange[],
    private readonly visitor: MessageVisitor,
  ) {
    this.left = new Map(ranges.filter(({ from, to }) => from < to).map((range) => [range.partition, range]));
    this.total = countOffsets(this.left.values());
    this.finished = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Ends it with an error; records delivered afterwards are not visited. */
  fail(error: unknown): void {
    this.isOver = true;
    this.reject(error);
  }

  /** For eachBatch. Errors of the visitor end the read; those of the heartbeat go to kafkajs. */
  async visit(payload: EachBatchPayload): Promise<void> {
    const { partition, messages } = payload.batch;
    for (let start = 0; start < messages.length && !this.isOver; start += VISIT_RECORDS) {
      this.lastActiveAt = Infinity;
      const chunk = messages.slice(start, start + VISIT_RECORDS);
      await this.visitChunk(partition, chunk).catch((error: unknown) => this.fail(error));
      this.lastActiveAt = performance.now();
      await payload.heartbeat();
    }
  }

  /** All offsets before `offset` were delivered, or are no records (a transaction's marker, a gap). */
  advance(partition: number, offset: bigint): void {
    const range = this.left.get(partition);
    if (this.isOver || range === undefined || offset <= range.from) return;
    this.lastActiveAt = performance.now();
    if (offset < range.to) this.left.set(partition, { ...range, from: offset });
    else this.left.delete(partition);
    if (this.left.size > 0) return;
    this.isOver = true;
    this.resolve();
  }

  /** Fails the read when nothing was delivered for `limitMs`. */
  failIfIdle(limitMs: number): void {
    if (performance.now() - this.lastActiveAt < limitMs) return;
    const left = countOffsets(this.left.values());
    const problem = `Kafka delivered nothing for ${limitMs / 1000} s; ${left} offsets not read`;
    this.fail(new UnavailableError(problem));
  }

  private async visitChunk(partition: number, chunk: readonly KafkaMessage[]): Promise<void> {
    const { from, to } = this.left.get(partition) ?? { from: 0n, to: 0n };
    const wanted = chunk.filter(({ offset }) => BigInt(offset) >= from && BigInt(offset) < to);
    const last = wanted.at(-1);
    if (last === undefined) return;
    const next = BigInt(last.offset) + 1n;
    const done = this.total - countOffsets(this.left.values()) + (next - from);
    await this.visitor(partition, wanted, { done, total: this.total });
    this.advance(partition, next);
  }
}

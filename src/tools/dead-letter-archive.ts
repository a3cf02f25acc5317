import { UnavailableError } from '../domain/errors';
import { KafkaJSProtocolError, type Admin, type Kafka, type KafkaMessage } from '../kafka/kafkajs';
import { withAdmin } from '../kafka/client';
import type { DeadLetterId, StoredDeadLetter } from './dead-letter';
import type { OffsetRange, ReadProgress, TopicReader } from './topic-reader';

/** Gets some dead letters of one partition at a time, in order. */
export type DeadLetterVisitor = (
  deadLetters: readonly StoredDeadLetter[],
  progress: ReadProgress,
) => void | Promise<void>;

export interface DeadLetterArchiveDeps {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly reader: Pick<TopicReader, 'read'>;
}

/**
 * The dead letters that Kafka holds. Every method may reject with UnavailableError, within seconds, or with an Error
 * when there is no such topic.
 */
export class DeadLetterArchive {
  constructor(private readonly deps: DeadLetterArchiveDeps) {}

  /**
   * Visits once each dead letter that is there at the start; with `ids`, only those (and some between them).
   * `total` counts offsets, so gaps too.
   */
  async readAll(visit: DeadLetterVisitor, ids?: readonly DeadLetterId[]): Promise<void> {
    const { topic, reader } = this.deps;
    const ranges = (await this.watermarks()).map((range) => (ids ? narrowTo(ids, range) : range));
    await reader.read(topic, ranges, (partition, messages, progress) =>
      visit(
        messages.map((message) => toDeadLetter(topic, partition, message)),
        progress,
      ),
    );
  }

  /** What deleteAll() may delete: all that is stored before the first dead letter since `before` (ms), or everything. */
  async deletable(before: number | undefined): Promise<OffsetRange[]> {
    const ranges = await this.watermarks();
    if (before === undefined) return ranges;
    const ends = await this.ask((admin) => admin.fetchTopicOffsetsByTimestamp(this.deps.topic, before));
    const endOf = new Map(ends.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return ranges.map((range) => {
      const end = endOf.get(range.partition) ?? range.from;
      return { ...range, to: end < range.to ? end : range.to };
    });
  }

  /** Deletes for good what is stored in `ranges` and before. */
  async deleteAll(ranges: readonly OffsetRange[]): Promise<void> {
    const partitions = ranges
      .filter(({ from, to }) => from < to)
      .map(({ partition, to }) => ({ partition, offset: String(to) }));
    if (partitions.length === 0) return;
    const { topic } = this.deps;
    await this.ask(async (admin) => {
      await admin.fetchTopicOffsets(topic); // Makes the client know the partitions' leaders.
      await admin.deleteTopicRecords({ topic, partitions });
    });
  }

  private async watermarks(): Promise<OffsetRange[]> {
    const offsets = await this.ask((admin) => admin.fetchTopicOffsets(this.deps.topic));
    return offsets
      .map(({ partition, low, high }) => ({ partition, from: BigInt(low), to: BigInt(high) }))
      .sort((a, b) => a.partition - b.partition);
  }

  private async ask<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await withAdmin(this.deps.kafka, work);
    } catch (error) {
      if (isTopicMissing(error))
        throw new Error(`the topic ${this.deps.topic} does not exist`, { cause: error });
      throw new UnavailableError('Kafka failed', { cause: error });
    }
  }
}

function isTopicMissing(error: unknown): boolean {
  if (error instanceof KafkaJSProtocolError) return error.type === 'UNKNOWN_TOPIC_OR_PARTITION';
  return error instanceof Error && isTopicMissing(error.cause);
}

/** The smallest part of the range that holds all `ids` in it; an empty one at its end when none is. */
function narrowTo(ids: readonly DeadLetterId[], { partition, from, to }: OffsetRange): OffsetRange {
  const offsets = ids
    .filter((id) => id.partition === partition && id.offset >= from && id.offset < to)
    .map(({ offset }) => offset)
    .sort((a, b) => (a < b ? -1 : 1));
  const [first = to] = offsets;
  return { partition, from: first, to: (offsets.at(-1) ?? to - 1n) + 1n };
}

function toDeadLetter(topic: string, partition: number, message: KafkaMessage): StoredDeadLetter {
  const { key, value, headers, offset, timestamp } = message;
  const writtenAt = new Date(Number(timestamp)).toISOString();
  return { topic, partition, offset, key, value, headers: headers ?? {}, writtenAt };
}

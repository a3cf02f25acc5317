import type { Config } from '../config/config';
import { UnavailableError } from '../domain/errors';
import { createKafka, withAdmin } from '../kafka/client';
import { KafkaJSProtocolError, type Admin, type Kafka, type KafkaMessage } from '../kafka/kafkajs';
import { NOOP_LOGGER } from './clients';
import { deadLetterMatcher, type DeadLetterFilter, type StoredDeadLetter } from './dead-letter';
import { readTopic, type OffsetRange, type ReadProgress } from './topic-reader';

/** Gets some dead letters of one partition at a time, in order; may get none, only progress. */
type DeadLetterVisitor = (
  deadLetters: readonly StoredDeadLetter[],
  progress: ReadProgress,
) => void | Promise<void>;

/**
 * The dead letters that Kafka holds; connects when it is used. Every method may reject with UnavailableError, within
 * seconds, or with an Error when there is no such topic.
 */
export class DeadLetterArchive {
  private readonly kafka: Kafka;

  constructor(private readonly config: Config['kafka']) {
    this.kafka = createKafka(config, NOOP_LOGGER);
  }

  /** Visits once each that is there at the start and matches the filter. `total` counts offsets, so gaps too. */
  async read(filter: DeadLetterFilter, visit: DeadLetterVisitor): Promise<void> {
    const { deadLetterTopic: topic, groupId } = this.config;
    const source = { kafka: this.kafka, topic, groupPrefix: `${groupId}-dlq` };
    const matches = deadLetterMatcher(filter);
    const ranges = (await this.watermarks()).map((range) => narrowTo(filter.ids, range));
    await readTopic(source, ranges, (partition, messages, progress) => {
      const deadLetters = messages.map((message) => toDeadLetter(topic, partition, message));
      return visit(deadLetters.filter(matches), progress);
    });
  }

  /** What deleteAll() may delete: all that is stored before the first dead letter since `before` (ms), or everything. */
  async deletable(before: number | undefined): Promise<OffsetRange[]> {
    const ranges = await this.watermarks();
    if (before === undefined) return ranges;
    const { deadLetterTopic } = this.config;
    const ends = await this.ask((admin) => admin.fetchTopicOffsetsByTimestamp(deadLetterTopic, before));
    const endOf = new Map(ends.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return ranges.map((range) => {
      const end = endOf.get(range.partition) ?? range.from;
      return { ...range, to: end < range.to ? end : range.to };
    });
  }

  /** Deletes for good what is stored in `ranges`, none of them empty, and before. */
  async deleteAll(ranges: readonly OffsetRange[]): Promise<void> {
    if (ranges.length === 0) return;
    const topic = this.config.deadLetterTopic;
    const partitions = ranges.map(({ partition, to }) => ({ partition, offset: String(to) }));
    await this.ask(async (admin) => {
      await admin.fetchTopicOffsets(topic); // Makes the client know the partitions' leaders.
      await admin.deleteTopicRecords({ topic, partitions });
    });
  }

  private async watermarks(): Promise<OffsetRange[]> {
    const offsets = await this.ask((admin) => admin.fetchTopicOffsets(this.config.deadLetterTopic));
    return offsets
      .map(({ partition, low, high }) => ({ partition, from: BigInt(low), to: BigInt(high) }))
      .sort((a, b) => a.partition - b.partition);
  }

  private async ask<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await withAdmin(this.kafka, work);
    } catch (error) {
      if (isTopicMissing(error))
        throw new Error(`the topic ${this.config.deadLetterTopic} does not exist`, { cause: error });
      throw new UnavailableError('Kafka failed', { cause: error });
    }
  }
}

function isTopicMissing(error: unknown): boolean {
  if (error instanceof KafkaJSProtocolError) return error.type === 'UNKNOWN_TOPIC_OR_PARTITION';
  return error instanceof Error && isTopicMissing(error.cause);
}

/** The smallest part of the range that holds all `ids` in it; an empty one at its end when none is. */
function narrowTo(ids: DeadLetterFilter['ids'], range: OffsetRange): OffsetRange {
  if (ids === undefined) return range;
  const { partition, from, to } = range;
  const offsets = ids
    .filter((id) => id.partition === partition && id.offset >= from && id.offset < to)
    .map(({ offset }) => offset)
    .sort((a, b) => (a < b ? -1 : 1));
  return { partition, from: offsets[0] ?? to, to: (offsets.at(-1) ?? to - 1n) + 1n };
}

function toDeadLetter(topic: string, partition: number, message: KafkaMessage): StoredDeadLetter {
  const { key, value, headers = {}, offset, timestamp } = message;
  const writtenAt = new Date(Number(timestamp)).toISOString();
  return { topic, partition, offset, key, value, headers, timestamp, writtenAt };
}

import { KafkaJSProtocolError, type Admin, type Kafka, type KafkaMessage } from '../kafka/kafkajs';
import { UnavailableError } from '../domain/errors';
import type {
  DeadLetterArchive,
  LetterPlace,
  LetterVisitor,
  OffsetRange,
  StoredDeadLetter,
} from './tool-ports';
import type { BoundedReader } from './topic-reader';
import { withAdmin } from '../kafka/with-admin';

export interface KafkaDeadLetterArchiveDeps {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly reader: Pick<BoundedReader, 'read'>;
}

/** The dead letter topic, for operators. */
export class KafkaDeadLetterArchive implements DeadLetterArchive {
  constructor(private readonly deps: KafkaDeadLetterArchiveDeps) {}

  async readAll(visit: LetterVisitor, places?: readonly LetterPlace[]): Promise<void> {
    const { topic, reader } = this.deps;
    const ranges = (await this.watermarks()).map((range) => (places ? around(range, places) : range));
    await reader.read(topic, ranges, (partition, messages, progress) =>
      visit(
        messages.map((message) => toLetter(topic, partition, message)),
        progress,
      ),
    );
  }

  async deletable(before: number | undefined): Promise<OffsetRange[]> {
    const ranges = await this.watermarks();
    if (before === undefined) return ranges;
    const ends = await this.ask((admin) => admin.fetchTopicOffsetsByTimestamp(this.deps.topic, before));
    const endOf = new Map(ends.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return ranges.map((range) => ({
      ...range,
      to: earlier(range.to, endOf.get(range.partition) ?? range.from),
    }));
  }

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

function earlier(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** The smallest part of the range that holds all places in it; an empty one at its end when none is. */
function around({ partition, from, to }: OffsetRange, places: readonly LetterPlace[]): OffsetRange {
  const offsets = places
    .filter((place) => place.partition === partition && place.offset >= from && place.offset < to)
    .map(({ offset }) => offset)
    .sort((a, b) => (a < b ? -1 : 1));
  const [first = to] = offsets;
  return { partition, from: first, to: (offsets.at(-1) ?? to - 1n) + 1n };
}

function toLetter(topic: string, partition: number, message: KafkaMessage): StoredDeadLetter {
  const { key, value, headers, offset, timestamp } = message;
  const writtenAt = new Date(Number(timestamp)).toISOString();
  return { topic, partition, offset, key, value, headers: headers ?? {}, writtenAt };
}

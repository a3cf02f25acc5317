import type { Kafka } from 'kafkajs';
import type { Config } from '../config/config';
import { withAdmin } from './with-admin';

/** How far the group is in one partition; offsets as Kafka counts them. */
export interface PartitionProgress {
  readonly partition: number;
  /** Of the next record to be written: where the group's offset stands, the partition's beginning without one. */
  readonly position: bigint;
  /** Behind the last record. */
  readonly end: bigint;
}

/** Asks Kafka how far the group is. Rejects while Kafka is away or the topic is missing. */
export async function readGroupProgress(
  kafka: Kafka,
  { groupId, topic }: Pick<Config['kafka'], 'groupId' | 'topic'>,
): Promise<PartitionProgress[]> {
  return withAdmin(kafka, async (admin) => {
    // Offsets first: what is written in between then shows as lag, never as being ahead.
    const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const committed = new Map(group?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => {
      const offset = committed.get(partition) ?? -1n;
      return { partition, position: offset < 0n ? BigInt(low) : offset, end: BigInt(high) };
    });
  });
}

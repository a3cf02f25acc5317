import type { PartitionProgress } from './group-progress';

/** Tells from readings, taken while the consumer is idle, whether it has lost its place in a partition. */
export class StuckPartitions {
  private readonly seen = new Map<number, { readonly position: bigint; readonly times: number }>();

  /** A partition counts as stuck when it has records and stood still in this many readings. */
  constructor(private readonly patience: number) {}

  /** Takes in a reading; resolves to what is wrong, if anything is. */
  observe(reading: readonly PartitionProgress[]): string | undefined {
    for (const { partition, position, end } of reading) {
      const before = this.seen.get(partition);
      const stoodStill = before?.position === position && position < end;
      const times = stoodStill ? before.times + 1 : 1;
      this.seen.set(partition, { position, times });
      // Kafka forgets a group's offsets when the topic is deleted; the consumer's own offset means nothing any more.
      if (before !== undefined && position < before.position)
        return `offset of partition ${partition} is lost`;
      if (position < end && times >= this.patience)
        return `partition ${partition} has records and stands still`;
    }
    return undefined;
  }
}

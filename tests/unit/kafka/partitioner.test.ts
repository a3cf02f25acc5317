import fc from 'fast-check';
import { Partitioners, type PartitionMetadata } from '../../../src/kafka/kafkajs';
import { partitionOf } from '../../../src/kafka/producer';

const byKafkajs = Partitioners.DefaultPartitioner();
const partitions = (count: number): PartitionMetadata[] =>
  Array.from({ length: count }, (_, partitionId) => ({
    ...{ partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] },
  }));

describe('partitionOf', () => {
  it('is where kafkajs, and so every earlier version, puts a key', () => {
    const keys = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    const check = (key: string | Buffer, count: number): void => {
      const args = { topic: 'users', partitionMetadata: partitions(count), message: { key, value: null } };
      expect(partitionOf(args)).toBe(byKafkajs(args));
    };

    fc.assert(fc.property(keys, fc.integer({ min: 1, max: 100 }), check));
  });

  it('takes time in proportion to the length of the key', () => {
    // The fastest of several, in ms: what others do on the machine only adds.
    const fastest = (length: number): number => {
      const message = { key: Buffer.alloc(length, 'k'), value: null };
      const times = Array.from({ length: 10 }, () => {
        const startedAt = performance.now();
        partitionOf({ topic: 'users', partitionMetadata: partitions(3), message });
        return performance.now() - startedAt;
      });
      return Math.min(...times);
    };

    // Quadratic time would be 256 times.
    expect(fastest(1_600_000) / fastest(100_000)).toBeLessThan(80);
  });

  it('is the one that a message names, else any for a message without a key', () => {
    const partitionMetadata = partitions(3);
    const of = (message: { partition?: number }) =>
      partitionOf({ topic: 'users', partitionMetadata, message: { value: null, ...message } });

    expect(of({ partition: 2 })).toBe(2);
    expect([0, 1, 2]).toContain(of({}));
  });
});

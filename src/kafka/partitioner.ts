import { Partitioners, type PartitionerArgs } from './kafkajs';

const byKafkajs = Partitioners.DefaultPartitioner();

/**
 * The partition that Kafka's own clients choose as well, and kafkajs: by the key, or one at random without. kafkajs' hash
 * takes 20 µs for an email, and time by the square of the length: ten seconds for a key of 200 kB.
 */
export function partitionOf({ topic, partitionMetadata, message }: PartitionerArgs): number {
  if (message.partition !== undefined) return message.partition;
  if (message.key === null || message.key === undefined)
    return byKafkajs({ topic, partitionMetadata, message });
  return (murmur2(Buffer.from(message.key)) & 0x7fffffff) % partitionMetadata.length;
}

// https://github.com/apache/kafka/blob/4.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java
function murmur2(data: Buffer): number {
  const mix = (value: number, shift: number): number => Math.imul(value ^ (value >>> shift), 0x5bd1e995);
  let hash = 0x9747b28c ^ data.length;
  let at = 0;
  for (; at + 4 <= data.length; at += 4) {
    const word = Math.imul(data.readInt32LE(at), 0x5bd1e995);
    hash = Math.imul(hash, 0x5bd1e995) ^ mix(word, 24);
  }
  if (at < data.length) hash = Math.imul(hash ^ data.readUIntLE(at, data.length - at), 0x5bd1e995);
  hash = mix(hash, 13);
  return hash ^ (hash >>> 15);
}

import { CompressionTypes, Partitioners, protocolErrorType } from './kafkajs';
import type { Kafka, Message, PartitionerArgs, PartitionMetadata, Producer } from './kafkajs';
import { UnavailableError } from '../domain/errors';
import type { Logger } from '../services/ports/telemetry';
import { NO_RETRY } from './kafkajs-patches';

const ALL_IN_SYNC_REPLICAS = -1;
// New partitions are used, and a partition's new leader is found, this much later at most.
const METADATA_MAX_AGE_MS = 5000;
const byKafkajs = Partitioners.DefaultPartitioner();

/**
 * Sends records of one topic and resolves when all in-sync replicas hold them. Not idempotent on purpose: kafkajs 2.2.4
 * reuses a sequence number after a lost acknowledgement, and the broker then drops an acknowledged batch as a duplicate.
 */
export class KafkaProducer {
  readonly name = 'kafka producer';
  readonly stopTimeoutMs = 2000;
  /** `sends` are in flight. */
  private connection: { readonly producer: Promise<Producer>; sends: number } | undefined;
  private partitions: PartitionMetadata[] | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly log: Logger,
  ) {}

  async stop(): Promise<void> {
    const producer = await this.connection?.producer.catch(() => undefined);
    this.connection = undefined;
    await producer?.disconnect();
  }

  /** Undefined until a send has asked for the topic's partitions. */
  partitionOf(topic: string, message: Message): number | undefined {
    return this.partitions && partitionOf({ topic, partitionMetadata: this.partitions, message });
  }

  /** Throws UnavailableError when they are not confirmed: some, all or none may have been written. */
  async send(topic: string, messages: Message[]): Promise<void> {
    const connection = (this.connection ??= { producer: this.connect(), sends: 0 });
    connection.sends += 1;
    let producer: Producer | undefined;
    try {
      producer = await connection.producer;
      await producer.send({
        topic,
        messages,
        acks: ALL_IN_SYNC_REPLICAS,
        timeout: 4000,
        compression: CompressionTypes.None,
      });
    } catch (error) {
      // A connection that failed may be half-open: the next send opens a new one instead of waiting for it.
      const isResponse = producer !== undefined && protocolErrorType(error) !== undefined;
      if (!isResponse && this.connection === connection) this.connection = undefined;
      throw new UnavailableError('Kafka did not confirm', { cause: error });
    } finally {
      connection.sends -= 1;
      // Not before the others that are in flight on it have ended.
      if (this.connection !== connection && connection.sends === 0) {
        connection.producer
          .then((failed) => failed.disconnect())
          .catch((error: unknown) => this.log.debug('could not close discarded Kafka producer', { error }));
      }
    }
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      retry: NO_RETRY,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      createPartitioner: () => (args) => {
        this.partitions = args.partitionMetadata;
        return partitionOf(args);
      },
    });
    await producer.connect();
    return producer;
  }
}

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

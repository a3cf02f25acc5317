import { CompressionTypes, type Kafka, type Message, type PartitionMetadata, type Producer } from './kafkajs';
import { UnavailableError } from '../domain/errors';
import type { Logger } from '../services/ports/telemetry';
import { NO_RETRY } from './kafkajs-patches';
import { partitionOf } from './partitioner';
import { protocolErrorType } from './protocol-error';

const ALL_IN_SYNC_REPLICAS = -1;
const BROKER_TIMEOUT_MS = 4000;
// New partitions are used, and a partition's new leader is found, this much later at most.
const METADATA_MAX_AGE_MS = 5000;

interface Connection {
  readonly producer: Promise<Producer>;
  /** In flight. */
  sends: number;
}

/**
 * Sends records of one topic and resolves when all in-sync replicas hold them. Not idempotent on purpose: kafkajs 2.2.4
 * reuses a sequence number after a lost acknowledgement, and the broker then drops an acknowledged batch as a duplicate.
 */
export class KafkaProducer {
  readonly name = 'kafka producer';
  readonly stopTimeoutMs = 2000;
  private connection: Connection | undefined;
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
        timeout: BROKER_TIMEOUT_MS,
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
      if (this.connection !== connection && connection.sends === 0) this.discard(connection);
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

  private discard({ producer }: Connection): void {
    producer
      .then((failed) => failed.disconnect())
      .catch((error: unknown) => this.log.debug('could not close discarded Kafka producer', { error }));
  }
}

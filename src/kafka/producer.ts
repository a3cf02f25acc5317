import { CompressionTypes, Partitioners, type Kafka, type Message, type Producer } from './kafkajs';
import { UnavailableError } from '../domain/errors';
import type { Logger } from '../services/ports/telemetry';
import { NO_RETRY } from './kafkajs-patches';

const ALL_IN_SYNC_REPLICAS = -1;
const BROKER_TIMEOUT_MS = 4000;

/**
 * Sends records and resolves when all in-sync replicas hold them. Not idempotent on purpose: kafkajs 2.2.4 reuses a
 * sequence number after a lost acknowledgement, and the broker then drops an acknowledged batch as a duplicate.
 */
export class KafkaProducer {
  readonly name = 'kafka producer';
  readonly stopTimeoutMs = 2000;
  private producer: Promise<Producer> | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly log: Logger,
  ) {}

  async stop(): Promise<void> {
    const producer = await this.producer?.catch(() => undefined);
    this.producer = undefined;
    await producer?.disconnect();
  }

  /** Throws UnavailableError when they are not confirmed: some, all or none may have been written. */
  async send(topic: string, messages: Message[]): Promise<void> {
    const connecting = (this.producer ??= this.connect());
    try {
      const producer = await connecting;
      await producer.send({
        topic,
        messages,
        acks: ALL_IN_SYNC_REPLICAS,
        timeout: BROKER_TIMEOUT_MS,
        compression: CompressionTypes.None,
      });
    } catch (error) {
      this.discard(connecting);
      throw new UnavailableError('Kafka did not confirm', { cause: error });
    }
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      retry: NO_RETRY,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return producer;
  }

  // A connection that failed may be half-open: the next send opens a new one instead of waiting for it.
  private discard(connecting: Promise<Producer>): void {
    if (this.producer === connecting) this.producer = undefined;
    connecting
      .then((producer) => producer.disconnect())
      .catch((error: unknown) => this.log.debug('could not close discarded Kafka producer', { error }));
  }
}

import type { IHeaders, Message } from 'kafkajs';
import type { KafkaProducer } from '../kafka/producer';
import { toMessage } from '../kafka/registration-message';
import type { ReceivedRecord, RegistrationEvent } from '../services/ports/messaging';

const SEND_BYTES = 512 * 1024;

/** A record to send as it is, byte for byte. */
export type OutgoingRecord = Pick<ReceivedRecord, 'key' | 'value' | 'headers'>;

export interface RegistrationPublisherDeps {
  readonly topic: string;
  readonly producer: Pick<KafkaProducer, 'send'>;
}

/**
 * Sends to the topic that the writer reads, in parts small enough for every broker. Both methods resolve when Kafka has
 * confirmed all records; both may reject with UnavailableError.
 */
export class RegistrationPublisher {
  constructor(private readonly deps: RegistrationPublisherDeps) {}

  async republish(records: readonly OutgoingRecord[]): Promise<void> {
    await this.send(records.map(({ headers, ...record }) => ({ ...record, headers: headers as IHeaders })));
  }

  async publish(events: readonly RegistrationEvent[], requestId: string): Promise<void> {
    await this.send(events.map((event) => toMessage(event, requestId)));
  }

  private async send(messages: readonly Message[]): Promise<void> {
    let part: Message[] = [];
    let bytes = 0;
    for (const message of messages) {
      const size = Buffer.byteLength(message.value ?? '');
      if (part.length > 0 && bytes + size > SEND_BYTES) {
        await this.deps.producer.send(this.deps.topic, part);
        part = [];
        bytes = 0;
      }
      part.push(message);
      bytes += size;
    }
    if (part.length > 0) await this.deps.producer.send(this.deps.topic, part);
  }
}

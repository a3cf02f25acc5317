import type { IHeaders, Message } from 'kafkajs';
import { outgoing, PartSender } from '../kafka/part-sender';
import type { KafkaProducer } from '../kafka/producer';
import { toMessage } from '../kafka/registration-message';
import type { ReceivedRecord, RegistrationEvent } from '../services/ports/messaging';

/** A record to send as it is, byte for byte. */
export type OutgoingRecord = Pick<ReceivedRecord, 'key' | 'value' | 'headers'>;

/**
 * Sends to the topic that the writer reads, in parts that Kafka takes. Both methods resolve when Kafka has confirmed all
 * records; both may reject with UnavailableError.
 */
export class RegistrationPublisher {
  private readonly parts: PartSender;

  constructor({ topic, producer }: { topic: string; producer: Pick<KafkaProducer, 'send'> }) {
    this.parts = new PartSender((messages) => producer.send(topic, messages));
  }

  async republish(records: readonly OutgoingRecord[]): Promise<void> {
    await this.send(records.map(({ headers, ...record }) => ({ ...record, headers: headers as IHeaders })));
  }

  async publish(events: readonly RegistrationEvent[], requestId: string): Promise<void> {
    await this.send(events.map((event) => toMessage(event, requestId)));
  }

  private async send(messages: readonly Message[]): Promise<void> {
    const waiting = messages.map(outgoing);
    while (waiting.length > 0) waiting.splice(0, await this.parts.sendFirst(waiting));
  }
}

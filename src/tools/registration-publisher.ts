import type { IHeaders, Message } from 'kafkajs';
import type { RegistrationEvent } from '../services/ports';
import type { OutgoingRecord, RegistrationTopic } from './tool-ports';
import type { RecordSender } from '../kafka/record-sender';
import { toMessage } from '../kafka/registration-message';

const SEND_BYTES = 512 * 1024;

export interface KafkaRegistrationTopicDeps {
  readonly topic: string;
  readonly sender: Pick<RecordSender, 'send'>;
}

/** Puts records in front of the writer, in sends that no broker refuses for their size. */
export class KafkaRegistrationTopic implements RegistrationTopic {
  constructor(private readonly deps: KafkaRegistrationTopicDeps) {}

  async resend(records: readonly OutgoingRecord[]): Promise<void> {
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
        await this.deps.sender.send(this.deps.topic, part);
        part = [];
        bytes = 0;
      }
      part.push(message);
      bytes += size;
    }
    if (part.length > 0) await this.deps.sender.send(this.deps.topic, part);
  }
}

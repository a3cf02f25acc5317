import type { IHeaders, Message } from 'kafkajs';
import {
  DEAD_LETTER_HEADERS,
  ERROR_HEADER,
  REASON_HEADER,
  SOURCE_OFFSET_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_TOPIC_HEADER,
  VALUE_BYTES_HEADER,
} from '../services/registration-record';
import type { DeadLetter, DeadLetters, ReceivedRecord } from '../services/ports/messaging';
import { isTooLarge } from './kafkajs';
import { outgoing, PartSender } from './part-sender';
import type { KafkaProducer } from './producer';

const MAX_KEY_BYTES = 1000;

/**
 * Dead letters keep the record's key, value and headers, and add where it was and what was wrong. One that is larger than
 * the topic allows goes without its value and its own headers.
 */
export class KafkaDeadLetterTopic implements DeadLetters {
  private readonly parts: PartSender;
  /** Left out when a publish() is repeated because others were not confirmed. */
  private readonly confirmed = new WeakSet<ReceivedRecord>();

  constructor(producer: Pick<KafkaProducer, 'send'>, topic: string) {
    this.parts = new PartSender((messages) => producer.send(topic, messages));
  }

  async publish(deadLetters: readonly DeadLetter[]): Promise<void> {
    const left = deadLetters.filter(({ record }) => !this.confirmed.has(record));
    const waiting = left.map((deadLetter) => outgoing(toMessage(deadLetter)));
    while (waiting.length > 0) {
      const sent = await this.parts.sendFirst(waiting).catch((error: unknown) => {
        const [first] = waiting;
        if (!first || !isTooLarge(error) || first.message.headers?.[VALUE_BYTES_HEADER]) throw error;
        waiting[0] = outgoing(bare(first.message));
        return 0;
      });
      waiting.splice(0, sent);
      for (const { record } of left.splice(0, sent)) this.confirmed.add(record);
    }
  }
}

function toMessage({ record, reason, error }: DeadLetter): Message {
  const headers = {
    ...(record.headers as IHeaders),
    [REASON_HEADER]: reason,
    [ERROR_HEADER]: error,
    [SOURCE_TOPIC_HEADER]: record.topic,
    [SOURCE_PARTITION_HEADER]: String(record.partition),
    [SOURCE_OFFSET_HEADER]: record.offset,
  };
  return { key: record.key, value: record.value, headers };
}

/** Without what another program may have made too large: a key is kept that could be an email. */
function bare({ key = null, value, headers = {} }: Message): Message {
  const ours = Object.entries(headers).filter(([name]) => DEAD_LETTER_HEADERS.has(name));
  const size = { [VALUE_BYTES_HEADER]: String(Buffer.byteLength(value ?? '')) };
  const keptKey = Buffer.byteLength(key ?? '') > MAX_KEY_BYTES ? null : key;
  return { key: keptKey, value: null, headers: { ...Object.fromEntries(ours), ...size } };
}

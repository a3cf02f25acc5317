import type { IHeaders } from 'kafkajs';
import {
  ERROR_HEADER,
  REASON_HEADER,
  SOURCE_OFFSET_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_TOPIC_HEADER,
} from '../services/registration-record';
import type { DeadLetter, DeadLetters } from '../services/ports/messaging';
import type { KafkaProducer } from './producer';

export interface KafkaDeadLetterTopicDeps {
  readonly topic: string;
  readonly producer: Pick<KafkaProducer, 'send'>;
}

/** Dead letters keep the record's key, value and headers, and add where it was and what was wrong. */
export class KafkaDeadLetterTopic implements DeadLetters {
  constructor(private readonly deps: KafkaDeadLetterTopicDeps) {}

  async publish(deadLetters: readonly DeadLetter[]): Promise<void> {
    const { topic, producer } = this.deps;
    const messages = deadLetters.map((deadLetter) => ({
      key: deadLetter.record.key,
      value: deadLetter.record.value,
      headers: headersOf(deadLetter),
    }));
    await producer.send(topic, messages);
  }
}

function headersOf({ record, reason, error }: DeadLetter): IHeaders {
  return {
    ...(record.headers as IHeaders),
    [REASON_HEADER]: reason,
    [ERROR_HEADER]: error,
    [SOURCE_TOPIC_HEADER]: record.topic,
    [SOURCE_PARTITION_HEADER]: String(record.partition),
    [SOURCE_OFFSET_HEADER]: record.offset,
  };
}

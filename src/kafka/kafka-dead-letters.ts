import type { IHeaders } from 'kafkajs';
import {
  ERROR_HEADER,
  REASON_HEADER,
  SOURCE_OFFSET_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_TOPIC_HEADER,
} from '../services/registration-record';
import type { DeadLetter, DeadLetters } from '../services/ports';
import type { RecordSender } from './record-sender';

export interface KafkaDeadLettersDeps {
  readonly topic: string;
  readonly sender: Pick<RecordSender, 'send'>;
}

/** Dead letters keep the record's key, value and headers as they were, and say where it stood and what was wrong. */
export class KafkaDeadLetters implements DeadLetters {
  constructor(private readonly deps: KafkaDeadLettersDeps) {}

  async publish(letters: readonly DeadLetter[]): Promise<void> {
    const messages = letters.map((letter) => ({
      key: letter.record.key,
      value: letter.record.value,
      headers: headersOf(letter),
    }));
    await this.deps.sender.send(this.deps.topic, messages);
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

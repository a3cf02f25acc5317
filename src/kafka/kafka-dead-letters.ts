import type { IHeaders } from 'kafkajs';
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
    'dead-letter-reason': reason,
    'dead-letter-error': error,
    'source-topic': record.topic,
    'source-partition': String(record.partition),
    'source-offset': record.offset,
  };
}

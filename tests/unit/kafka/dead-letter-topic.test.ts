import { KafkaJSProtocolError, type Message } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { KafkaDeadLetterTopic } from '../../../src/kafka/dead-letter-topic';
import type { DeadLetter } from '../../../src/services/ports/messaging';
import { buildRecord } from '../../support/builders';

const error = { type: 'MESSAGE_TOO_LARGE', code: 10, retriable: false, message: 'too large' };
const tooLarge = (): UnavailableError =>
  new UnavailableError('not confirmed', {
    cause: new KafkaJSProtocolError(Object.assign(new Error(), error)),
  });

const sizeOf = ({ value, headers }: Message): number =>
  Buffer.byteLength(value ?? '') + JSON.stringify(headers).length;

/** A topic that takes `maxBytes` in one send, and nothing while `isAvailable()` is false. */
function setUp(maxBytes: number, isAvailable: (send: number) => boolean = () => true) {
  const sends: Message[][] = [];
  let attempts = 0;
  const send = (_topic: string, messages: Message[]): Promise<void> => {
    attempts += 1;
    if (!isAvailable(attempts)) return Promise.reject(new UnavailableError('unavailable'));
    if (messages.reduce((sum, each) => sum + sizeOf(each), 0) > maxBytes) return Promise.reject(tooLarge());
    sends.push(messages);
    return Promise.resolve();
  };
  return { sends, deadLetters: new KafkaDeadLetterTopic({ send }, 'users.dlq') };
}

const buildDeadLetters = (count: number, value: unknown): DeadLetter[] =>
  Array.from({ length: count }, (_, offset) => ({
    record: buildRecord({ offset: String(offset), value }),
    reason: 'invalid',
    error: 'no JSON',
  }));

const offsets = (sends: readonly Message[][]): number[] =>
  sends.flat().map(({ headers }) => Number(headers?.['source-offset']));
const inOrder = (count: number): number[] => Array.from({ length: count }, (_, offset) => offset);

describe('KafkaDeadLetterTopic', () => {
  it('sends a batch that is larger than the topic allows in parts, each dead letter once', async () => {
    const { sends, deadLetters } = setUp(4 * 1024 * 1024);

    await deadLetters.publish(buildDeadLetters(500, '0'.repeat(30_000)));

    expect(offsets(sends)).toEqual(inOrder(500));
    const sizes = sends.map((messages) => messages.reduce((sum, each) => sum + sizeOf(each), 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(512 * 1024);
  });

  it('makes the parts smaller where the topic allows less', async () => {
    const { sends, deadLetters } = setUp(100_000);

    await deadLetters.publish(buildDeadLetters(50, '0'.repeat(30_000)));

    expect(offsets(sends)).toEqual(inOrder(50));
  });

  it('does not send again what was confirmed when the same batch is repeated', async () => {
    const { sends, deadLetters } = setUp(4 * 1024 * 1024, (send) => send !== 3);
    const batch = buildDeadLetters(40, '0'.repeat(30_000));

    await expect(deadLetters.publish(batch)).rejects.toThrow(UnavailableError);
    await deadLetters.publish(batch);

    expect(offsets(sends)).toEqual(inOrder(40));
  });

  it('leaves out the value and the record’s own headers where they alone are too large', async () => {
    const { sends, deadLetters } = setUp(10_000);
    const [small, ...others] = buildDeadLetters(3, 'small');
    const large = {
      ...(small as DeadLetter),
      record: buildRecord({ offset: '9', value: 'x'.repeat(20_000) }),
    };

    await deadLetters.publish([large, ...others]);

    expect(offsets(sends)).toEqual([9, 1, 2]);
    expect(sends[0]?.[0]).toEqual({
      key: null,
      value: null,
      headers: {
        'dead-letter-reason': 'invalid',
        'dead-letter-error': 'no JSON',
        'source-topic': 'user-registration',
        'source-partition': '0',
        'source-offset': '9',
        'value-bytes': '20000',
      },
    });
  });

  it.each([
    [1000, 'x'.repeat(1000)],
    [1001, null],
  ])('leaves out a key, too, that is longer than 1000 bytes: one of %i', async (bytes, key) => {
    const { sends, deadLetters } = setUp(10_000);
    const record = buildRecord({ key: Buffer.alloc(bytes, 'x'), value: 'x'.repeat(20_000) });

    await deadLetters.publish([{ record, reason: 'invalid', error: 'no JSON' }]);

    expect(sends[0]?.[0]?.key?.toString() ?? null).toBe(key);
  });

  it('fails where even that is too large, rather than again and again', async () => {
    const { sends, deadLetters } = setUp(10);

    await expect(deadLetters.publish(buildDeadLetters(1, 'x'))).rejects.toThrow(UnavailableError);

    expect(sends).toEqual([]);
  });
});

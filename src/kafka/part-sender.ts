import type { Message } from 'kafkajs';
import { isTooLarge } from './kafkajs';

/**
 * What one send may hold: half of what a topic takes by default. The bytes are those of keys, values and headers; a larger
 * record leaves alone.
 */
export const PART_LIMITS = { batchRecords: 1000, batchBytes: 512 * 1024 };

/** A record that waits to be sent. */
export interface Outgoing {
  readonly message: Message;
  readonly bytes: number;
}

/** Measures a record once, so that it can be sent in parts. */
export function outgoing(message: Message): Outgoing {
  const { key, value, headers = {} } = message;
  let bytes = bytesOf(key) + bytesOf(value);
  for (const [name, header] of Object.entries(headers)) {
    const values = Array.isArray(header) ? header : [header];
    for (const each of values) bytes += bytesOf(name) + bytesOf(each);
  }
  return { message, bytes };
}

const bytesOf = (text: string | Buffer | null | undefined): number => Buffer.byteLength(text ?? '');

/**
 * Sends waiting records in parts that Kafka takes: a failed send is followed by one of half the size, down to a single
 * record, so that nothing is repeated unchanged; each confirmed one doubles it.
 */
export class PartSender {
  private maxRecords: number;

  constructor(
    private readonly send: (messages: Message[]) => Promise<void>,
    private readonly limits: Readonly<typeof PART_LIMITS> = PART_LIMITS,
  ) {
    this.maxRecords = limits.batchRecords;
  }

  /**
   * Sends the first of `waiting`, at least one. Resolves to how many Kafka has confirmed. Rejects as the send did; with
   * an error that isTooLarge() only when the first record alone is too large.
   */
  async sendFirst(waiting: readonly Outgoing[]): Promise<number> {
    const part = this.firstOf(waiting);
    try {
      await this.send(part);
    } catch (error) {
      this.maxRecords = Math.max(1, Math.floor(part.length / 2));
      if (part.length > 1 && isTooLarge(error)) return this.sendFirst(waiting);
      throw error;
    }
    this.maxRecords = Math.min(this.limits.batchRecords, this.maxRecords * 2);
    return part.length;
  }

  private firstOf(waiting: readonly Outgoing[]): Message[] {
    let left = this.limits.batchBytes;
    const end = waiting.findIndex((each, index) => {
      left -= each.bytes;
      return index >= this.maxRecords || (index > 0 && left < 0);
    });
    return waiting.slice(0, end === -1 ? undefined : end).map(({ message }) => message);
  }
}

import type { PendingEntries, PendingEntry } from '../services/ports';
import { BATCH_TIMEOUT_MS, type RedisConnection } from './redis-connection';
import { pendingKey } from './redis-keys';
import { parseEvent } from './reservations';

const SCAN_COUNT = 500;
const EVERY_KEY = pendingKey('*');
const EMAIL_START = pendingKey('').length;

/** `user:pending:{email}`, read only. */
export class RedisPendingEntries implements PendingEntries {
  constructor(private readonly connection: RedisConnection) {}

  async find(emails: readonly string[]): Promise<PendingEntry[]> {
    const values = await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
      Promise.all(emails.map((email) => redis.get(pendingKey(email)))),
    );
    return emails.flatMap((email, index) => {
      const value = values[index];
      return typeof value === 'string' ? [{ email, event: parseEvent(value) }] : [];
    });
  }

  async scan(visit: (entries: readonly PendingEntry[]) => Promise<void>): Promise<void> {
    let cursor = '0';
    do {
      const [next, keys] = await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
        redis.scan(cursor, 'MATCH', EVERY_KEY, 'COUNT', SCAN_COUNT),
      );
      cursor = next;
      const entries = await this.find(keys.map((key) => key.slice(EMAIL_START)));
      if (entries.length > 0) await visit(entries);
    } while (cursor !== '0');
  }
}

import type { RegistrationEvent } from '../services/ports/messaging';
import type { ReservationReader, Reservations, StoredReservation } from '../services/ports/stores';
import type { RedisCommands } from './client';
import { BATCH_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type RedisConnection } from './connection';
import { parseEntry, PENDING_TTL_SECONDS, pendingKey } from './keys-and-lifetimes';

const SCAN_COUNT = 500;
const EVERY_KEY = pendingKey('*');
const EMAIL_START = pendingKey('').length;

const RELEASE_IF_OWNER = `
  local entry = redis.call('GET', KEYS[1])
  if not entry then return 0 end
  local readable, event = pcall(cjson.decode, entry)
  if readable and type(event) == 'table' and event.eventId == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`;

/** `user:pending:{email}`: set once with NX, never written again, deleted last. */
export class RedisReservations implements Reservations {
  constructor(private readonly connection: RedisConnection) {}

  async reserve(candidate: RegistrationEvent): Promise<RegistrationEvent | undefined> {
    const key = pendingKey(candidate.registration.email);
    const value = JSON.stringify(candidate);
    // NX with GET (Redis 7): one atomic command that answers who held the key before.
    const before = await this.connection.run(REQUEST_TIMEOUT_MS, (redis) =>
      redis.set(key, value, 'EX', PENDING_TTL_SECONDS, 'NX', 'GET'),
    );
    return before === null ? candidate : parseEvent(before);
  }

  async isReserved(email: string): Promise<boolean> {
    const found = await this.connection.run(REQUEST_TIMEOUT_MS, (redis) => redis.exists(pendingKey(email)));
    return found === 1;
  }

  async release(email: string, eventId: string, after?: Promise<unknown>): Promise<void> {
    const key = pendingKey(email);
    const release = (redis: RedisCommands) => redis.eval(RELEASE_IF_OWNER, 1, key, eventId);
    await this.connection.run(REQUEST_TIMEOUT_MS, release, after);
  }

  async clear(emails: readonly string[]): Promise<void> {
    await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
      Promise.all(emails.map((email) => redis.del(pendingKey(email)))),
    );
  }
}

/** `user:pending:{email}`, read only. */
export class RedisReservationReader implements ReservationReader {
  constructor(private readonly connection: RedisConnection) {}

  async find(emails: readonly string[]): Promise<StoredReservation[]> {
    const values = await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
      Promise.all(emails.map((email) => redis.get(pendingKey(email)))),
    );
    return emails.flatMap((email, index) => {
      const value = values[index];
      return typeof value === 'string' ? [{ email, event: parseEvent(value) }] : [];
    });
  }

  async scan(visit: (entries: readonly StoredReservation[]) => Promise<void>): Promise<void> {
    for (const primary of this.connection.primaries) {
      let cursor = '0';
      do {
        const [next, keys] = await this.connection.run(BATCH_TIMEOUT_MS, () =>
          primary.scan(cursor, 'MATCH', EVERY_KEY, 'COUNT', SCAN_COUNT),
        );
        cursor = next;
        const entries = await this.find(keys.map((key) => key.slice(EMAIL_START)));
        if (entries.length > 0) await visit(entries);
      } while (cursor !== '0');
    }
  }
}

// Undefined when it cannot be read.
function parseEvent(entry: string): RegistrationEvent | undefined {
  const event = parseEntry<RegistrationEvent>(entry);
  return event?.eventId && event.registration ? (event as RegistrationEvent) : undefined;
}

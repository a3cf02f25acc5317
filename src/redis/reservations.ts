import type { PendingRegistrations, RegistrationEvent } from '../services/ports';
import { BATCH_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type RedisConnection } from './redis-connection';
import { PENDING_TTL_SECONDS, pendingKey } from './redis-keys';

const RELEASE_IF_OWN = `
  local entry = redis.call('GET', KEYS[1])
  if not entry then return 0 end
  local readable, event = pcall(cjson.decode, entry)
  if readable and type(event) == 'table' and event.eventId == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`;

/** `user:pending:{email}`: set once with NX, never written again, deleted last. */
export class RedisPendingRegistrations implements PendingRegistrations {
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

  async release(email: string, eventId: string): Promise<void> {
    await this.connection.run(REQUEST_TIMEOUT_MS, (redis) =>
      redis.eval(RELEASE_IF_OWN, 1, pendingKey(email), eventId),
    );
  }

  async clear(emails: readonly string[]): Promise<void> {
    await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
      Promise.all(emails.map((email) => redis.del(pendingKey(email)))),
    );
  }
}

/** The event in a reservation; undefined when it cannot be read. */
export function parseEvent(entry: string): RegistrationEvent | undefined {
  try {
    const event = JSON.parse(entry) as Partial<RegistrationEvent> | null;
    return event?.eventId && event.registration ? (event as RegistrationEvent) : undefined;
  } catch {
    return undefined;
  }
}

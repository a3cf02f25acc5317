import type { User } from '../domain/stored-user';
import type { UserCache } from '../services/ports/stores';
import { BATCH_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type RedisConnection } from './connection';
import { COMPLETED_TTL_SECONDS, completedKey, parseEntry } from './keys-and-lifetimes';

/** `user:completed:{email}`: the stored row as JSON, as the API returns it. */
export class RedisUserCache implements UserCache {
  constructor(private readonly connection: RedisConnection) {}

  async find(email: string, after?: Promise<unknown>): Promise<User | undefined> {
    const key = completedKey(email);
    const entry = await this.connection.run(REQUEST_TIMEOUT_MS, (redis) => redis.get(key), after);
    const user = parseEntry<User>(entry);
    // An entry that is no row of this email counts as absent: PostgreSQL knows better.
    return user?.email === email && Number.isInteger(user.id) ? (user as User) : undefined;
  }

  async put(users: readonly User[]): Promise<void> {
    await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
      Promise.all(
        users.map((user) =>
          redis.set(completedKey(user.email), JSON.stringify(user), 'EX', COMPLETED_TTL_SECONDS),
        ),
      ),
    );
  }

  async remove(emails: readonly string[]): Promise<void> {
    await this.connection.run(BATCH_TIMEOUT_MS, (redis) =>
      Promise.all(emails.map((email) => redis.del(completedKey(email)))),
    );
  }
}

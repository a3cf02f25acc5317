import type { DeadLetterReason, FailedRegistrations } from '../services/ports';
import { REQUEST_TIMEOUT_MS, type RedisConnection } from './redis-connection';
import { FAILED_TTL_SECONDS, failedKey } from './redis-keys';

/** `user:failed:{email}`: why the last registration of this e-mail was not stored. */
export class RedisFailedRegistrations implements FailedRegistrations {
  constructor(private readonly connection: RedisConnection) {}

  async mark(email: string, reason: DeadLetterReason): Promise<void> {
    const entry = JSON.stringify({ reason, failedAt: new Date().toISOString() });
    await this.connection.run(REQUEST_TIMEOUT_MS, (redis) =>
      redis.set(failedKey(email), entry, 'EX', FAILED_TTL_SECONDS),
    );
  }

  async clear(email: string): Promise<void> {
    await this.connection.run(REQUEST_TIMEOUT_MS, (redis) => redis.del(failedKey(email)));
  }
}

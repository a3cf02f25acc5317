import { FAILURE_REASONS, type FailureReason } from '../services/ports/messaging';
import type { FailureMarks } from '../services/ports/stores';
import { REQUEST_TIMEOUT_MS, type RedisConnection } from './connection';
import { FAILED_TTL_SECONDS, failedKey, parseEntry } from './keys-and-lifetimes';

/** `user:failed:{email}`: why the last registration of this email was not stored. */
export class RedisFailureMarks implements FailureMarks {
  constructor(private readonly connection: RedisConnection) {}

  async mark(email: string, reason: FailureReason): Promise<void> {
    const entry = JSON.stringify({ reason, failedAt: new Date().toISOString() });
    await this.connection.run(REQUEST_TIMEOUT_MS, (redis) =>
      redis.set(failedKey(email), entry, 'EX', FAILED_TTL_SECONDS),
    );
  }

  async find(email: string, after?: Promise<unknown>): Promise<FailureReason | undefined> {
    const key = failedKey(email);
    const entry = await this.connection.run(REQUEST_TIMEOUT_MS, (redis) => redis.get(key), after);
    const mark = parseEntry<{ reason: unknown }>(entry);
    return FAILURE_REASONS.find((reason) => reason === mark?.reason);
  }

  async isMarked(email: string): Promise<boolean> {
    const found = await this.connection.run(REQUEST_TIMEOUT_MS, (redis) => redis.exists(failedKey(email)));
    return found === 1;
  }

  async clear(email: string): Promise<void> {
    await this.connection.run(REQUEST_TIMEOUT_MS, (redis) => redis.del(failedKey(email)));
  }
}

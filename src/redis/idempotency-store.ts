import type {
  AttemptResult,
  IdempotencyClaim,
  IdempotencyStore,
  IdempotentAttempt,
} from '../services/ports/stores';
import { REQUEST_TIMEOUT_MS, type RedisConnection } from './connection';
import { IDEMPOTENCY_TTL_SECONDS, idempotencyKey } from './keys-and-lifetimes';

const TTL_MS = IDEMPOTENCY_TTL_SECONDS * 1000;
/** Longer than any attempt: KAFKA_DELIVERY_TIMEOUT_MS is at most 50 s, a request's other waits are seconds. */
export const LOCK_TTL_MS = 60_000;

// Each claim renews the lifetime, so what is left of it tells the age of the lock, by Redis's clock alone.
// `fingerprint` and `outcome` are an earlier version's: of the body's bytes, so that it cannot be compared. Unless the
// outcome was a 400 or 409, that registration may have been accepted.
const CLAIM = `
  local registration, attempt, result, fingerprint, outcome =
    unpack(redis.call('HMGET', KEYS[1], 'registration', 'attempt', 'result', 'fingerprint', 'outcome'))
  if registration and registration ~= ARGV[1] then return 'registrationMismatch' end
  if result == 'accepted' then return 'completed' end
  if attempt and redis.call('PTTL', KEYS[1]) > ${TTL_MS - LOCK_TTL_MS} then return 'inProgress' end
  local isRetry = attempt or result or fingerprint and (not outcome or outcome == '{"kind":"accepted"}')
  redis.call('HSET', KEYS[1], 'registration', ARGV[1], 'attempt', ARGV[2])
  if isRetry then redis.call('HSET', KEYS[1], 'result', 'unknown') end
  redis.call('PEXPIRE', KEYS[1], ${TTL_MS})
  return isRetry and 'retry' or 'new'`;

const FINISH_IF_OWNER = `
  if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
  redis.call('HDEL', KEYS[1], 'attempt')
  if ARGV[2] ~= 'rejected' then redis.call('HSET', KEYS[1], 'result', ARGV[2]) end
  return redis.call('PEXPIRE', KEYS[1], ${TTL_MS})`;

/**
 * `idempotency:{sha256 of the key}`, a hash: `registration`, its fingerprint; `attempt` while one is in flight; `result`,
 * `accepted` or `unknown`, after one that was not rejected.
 */
export class RedisIdempotencyStore implements IdempotencyStore {
  constructor(private readonly connection: RedisConnection) {}

  async claim({ key, fingerprint, attemptId }: IdempotentAttempt): Promise<IdempotencyClaim> {
    return (await this.run(CLAIM, key, fingerprint, attemptId)) as IdempotencyClaim;
  }

  async finish({ key, attemptId }: IdempotentAttempt, result: AttemptResult): Promise<void> {
    await this.run(FINISH_IF_OWNER, key, attemptId, result);
  }

  private run(script: string, key: string, ...values: string[]): Promise<unknown> {
    return this.connection.run(REQUEST_TIMEOUT_MS, (redis) =>
      redis.eval(script, 1, idempotencyKey(key), ...values),
    );
  }
}

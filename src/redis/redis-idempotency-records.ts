import { UnavailableError } from '../domain/errors';
import type {
  IdempotencyClaim,
  IdempotencyRecords,
  IdempotentAttempt,
  IdempotentOutcome,
} from '../services/ports';
import { REQUEST_TIMEOUT_MS, type RedisConnection } from './redis-connection';
import { IDEMPOTENCY_TTL_SECONDS, idempotencyKey } from './redis-keys';

const TTL_MS = IDEMPOTENCY_TTL_SECONDS * 1000;
/** Longer than any request takes, unless Kafka is given more time than by default. */
const MARK_MS = 30_000;

// Each claim sets the lifetime anew, so what is left of it tells the age of the mark: no clock but Redis's counts.
const CLAIM = `
  local fingerprint, attempt, outcome =
    unpack(redis.call('HMGET', KEYS[1], 'fingerprint', 'attempt', 'outcome'))
  if fingerprint and fingerprint ~= ARGV[1] then return {'other body'} end
  if outcome then return {'ended', outcome} end
  if attempt and redis.call('PTTL', KEYS[1]) > ${TTL_MS - MARK_MS} then return {'in progress'} end
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'attempt', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ${TTL_MS})
  return {'claimed', fingerprint and 'again' or 'first'}`;

const KEEP_IF_OWN = `
  if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[1], 'outcome', ARGV[2])
  redis.call('HDEL', KEYS[1], 'attempt')
  return redis.call('PEXPIRE', KEYS[1], ${TTL_MS})`;

const RELEASE_IF_OWN = `
  if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
  return redis.call('HDEL', KEYS[1], 'attempt')`;

/**
 * `idempotency:{sha256 of the key}`, a hash: `fingerprint` of the body, `attempt` while one is under way, `outcome`
 * behind it. The fingerprint outlives the mark: it tells a retry from a first use.
 */
export class RedisIdempotencyRecords implements IdempotencyRecords {
  constructor(private readonly connection: RedisConnection) {}

  async claim({ key, fingerprint, attemptId }: IdempotentAttempt): Promise<IdempotencyClaim> {
    return parseClaim(await this.run(CLAIM, key, fingerprint, attemptId));
  }

  async keep({ key, attemptId }: IdempotentAttempt, outcome: IdempotentOutcome): Promise<void> {
    await this.run(KEEP_IF_OWN, key, attemptId, JSON.stringify(outcome));
  }

  async release({ key, attemptId }: IdempotentAttempt): Promise<void> {
    await this.run(RELEASE_IF_OWN, key, attemptId);
  }

  private run(script: string, key: string, ...values: string[]): Promise<unknown> {
    return this.connection.run(REQUEST_TIMEOUT_MS, (redis) =>
      redis.eval(script, 1, idempotencyKey(key), ...values),
    );
  }
}

function parseClaim(reply: unknown): IdempotencyClaim {
  const [state, detail = ''] = reply as [IdempotencyClaim['state'], string?];
  if (state === 'claimed') return { state, isRetry: detail === 'again' };
  return state === 'ended' ? { state, outcome: parseOutcome(detail) } : { state };
}

function parseOutcome(text: string): IdempotentOutcome {
  try {
    const outcome = JSON.parse(text) as IdempotentOutcome;
    if (['accepted', 'registered', 'invalid'].includes(outcome.kind)) return outcome;
  } catch {
    // Told below.
  }
  throw new UnavailableError('the outcome kept for an idempotency key cannot be read');
}

import { createHash } from 'node:crypto';
import { LOCK_TTL_MS } from '../../src/redis/idempotency-store';
import { withRedis, type Env } from './test-servers';

/** Where Redis holds what it knows of an idempotency key. */
export function idempotencyKeyInRedis(key: string): string {
  return `idempotency:${createHash('sha256').update(key).digest('hex')}`;
}

/** As when that time has passed since the key was claimed. Fails when Redis does not know the key. */
export async function ageIdempotencyLock(env: Env, key: string, ageMs = LOCK_TTL_MS): Promise<void> {
  const found = await withRedis(env, (redis) =>
    redis.pexpire(idempotencyKeyInRedis(key), 24 * 60 * 60 * 1000 - ageMs),
  );
  if (found !== 1) throw new Error('the key is unknown');
}

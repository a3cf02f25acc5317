import { createHash } from 'node:crypto';
import { withRedis, type Env } from './test-servers';

/** Where Redis holds what it knows of an idempotency key. */
export function idempotencyKeyInRedis(key: string): string {
  return `idempotency:${createHash('sha256').update(key).digest('hex')}`;
}

/** Lets 30 seconds pass for the key: whoever marked it has lost it. Fails when Redis does not know the key. */
export async function endIdempotencyMark(env: Env, key: string): Promise<void> {
  const found = await withRedis(env, (redis) =>
    redis.pexpire(idempotencyKeyInRedis(key), 24 * 60 * 60 * 1000 - 30_000),
  );
  if (found !== 1) throw new Error('the key is unknown');
}

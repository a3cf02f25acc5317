import { createHash } from 'node:crypto';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { COUNT_TIMEOUT_MS, type RedisConnection } from './connection';
import { RATE_LIMIT_PREFIX } from './keys-and-lifetimes';

/**
 * Counts requests by client for all replicas: one command a request, in the pipeline of its turn. Every method throws
 * UnavailableError.
 */
export function createRedisRateLimitStore(connection: RedisConnection): RedisStore {
  const scripts = new Map<string, string>();

  // The store would load its scripts before there is a connection, and never again after that has failed.
  const load = (script: string): string => {
    const digest = createHash('sha1').update(script).digest('hex');
    scripts.set(digest, script);
    return digest;
  };
  const run = async (digest: string, args: string[]): Promise<RedisReply> =>
    connection.run(COUNT_TIMEOUT_MS, async (redis) => {
      try {
        return (await redis.evalsha(digest, ...numbered(args))) as RedisReply;
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
        return (await redis.eval(scripts.get(digest) ?? '', ...numbered(args))) as RedisReply;
      }
    });

  return new RedisStore({
    prefix: RATE_LIMIT_PREFIX,
    sendCommand: async (name: string, ...[first = '', ...rest]: string[]) => {
      if (name === 'SCRIPT') return load(rest[0] ?? '');
      if (name === 'EVALSHA') return run(first, rest);
      throw new Error(`the limiter has no use for ${name}`);
    },
  });
}

/** Of a script's arguments, the number of keys comes first. */
function numbered([keys, ...others]: string[]): [number, ...string[]] {
  return [Number(keys), ...others];
}

// Redis was restarted, or SCRIPT FLUSH was called.
function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

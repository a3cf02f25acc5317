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

  const run = async ([digest = '', ...args]: string[]): Promise<RedisReply> =>
    connection.run(COUNT_TIMEOUT_MS, async (redis) => {
      try {
        return (await redis.call('EVALSHA', digest, ...args)) as RedisReply;
      } catch (error) {
        // Redis was restarted, or SCRIPT FLUSH was called.
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return (await redis.call('EVAL', scripts.get(digest) ?? '', ...args)) as RedisReply;
      }
    });

  return new RedisStore({
    prefix: RATE_LIMIT_PREFIX,
    sendCommand: async (name: string, ...args: string[]) => {
      if (name === 'EVALSHA') return run(args);
      if (name !== 'SCRIPT') throw new Error(`the limiter has no use for ${name}`);
      // The store would load its scripts before there is a connection, and never again after that has failed.
      const [, script = ''] = args;
      const digest = createHash('sha1').update(script).digest('hex');
      scripts.set(digest, script);
      return digest;
    },
  });
}

import { once } from 'node:events';
import { Redis, ReplyError } from 'ioredis';
import { UnavailableError } from '../domain/errors';
import { closeWithin, withTimeout } from '../runtime/timeout';
import type { DependencyState, Logger } from '../services/ports/telemetry';
import { CHECK_KEYS, CHECK_TTL_SECONDS } from './keys';

// One request waits for Redis at most 300 ms in all. The limiter gets the smaller share: miscounting is cheaper than a
// wrong decision.
/** For the rate limiter. */
export const COUNT_TIMEOUT_MS = 100;
/** For all other commands of a request together. */
export const REQUEST_TIMEOUT_MS = 200;
/** For the writer's commands of one turn of the event loop. */
export const BATCH_TIMEOUT_MS = 2000;
const CHECK_TIMEOUT_MS = 1000;
const WRITE = `return redis.call('SET', KEYS[1], '', 'EX', ARGV[1])`;
const CONNECT_TIMEOUT_MS = 2000;
const QUIT_TIMEOUT_MS = 500;
const MAX_RECONNECT_DELAY_MS = 2000;

export interface RedisConnectionDeps {
  readonly url: string;
  readonly state: DependencyState;
  readonly log: Logger;
}

/**
 * The one connection to Redis. Commands issued in one turn of the event loop leave as one pipeline, in order.
 * Nothing is queued while disconnected, and every wait has a limit.
 */
export class RedisConnection {
  readonly name = 'redis';
  readonly stopTimeoutMs = 1000;
  private readonly redis: Redis;
  private corkedStream: Redis['stream'] | undefined;

  constructor(private readonly deps: RedisConnectionDeps) {
    this.redis = new Redis(deps.url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      // A reservation that was given up must not be made again by a later connection.
      autoResendUnfulfilledCommands: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepAlive: 10_000,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RECONNECT_DELAY_MS),
      // A replica after a failover rejects writes until the address is looked up again.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    // The background check reports outages once; each attempt would only repeat it.
    this.redis.on('error', (error) => deps.log.debug('Redis connection error', { error }));
  }

  start(): void {
    this.redis.connect().catch(() => undefined); // Goes on by retryStrategy; reported by the 'error' listener.
  }

  async stop(): Promise<void> {
    if (this.redis.status === 'ready') await closeWithin(QUIT_TIMEOUT_MS, this.redis.quit());
    this.redis.disconnect();
  }

  /** Runs commands within one deadline. Throws UnavailableError, at once while Redis is unavailable. */
  async run<T>(timeoutMs: number, commands: (redis: Redis) => Promise<T>): Promise<T> {
    if (this.deps.state.isUnavailable) throw new UnavailableError('Redis is unavailable');
    const timeout = (): Error => new UnavailableError(`Redis did not respond within ${timeoutMs} ms`);
    try {
      this.corkUntilNextTick();
      return await withTimeout(commands(this.redis), timeoutMs, timeout);
    } catch (error) {
      // Whatever Redis rejects (loading, out of memory, read-only, no right), the service can do without it.
      throw error instanceof UnavailableError
        ? error
        : new UnavailableError('Redis failed', { cause: error });
    }
  }

  /**
   * Fails unless Redis runs a script and writes under each of the service's prefixes: one that only responds may be full,
   * a replica, or deny this user its keys. A connection that stays silent, open or only being opened, is replaced.
   */
  async check(): Promise<void> {
    const timeout = (): Error => new UnavailableError(`no response within ${CHECK_TIMEOUT_MS} ms`);
    const giveUp = new AbortController();
    try {
      await withTimeout(this.writeWhenReady(giveUp.signal), CHECK_TIMEOUT_MS, timeout);
    } catch (error) {
      giveUp.abort();
      // It responded: another connection would get the same.
      if (error instanceof ReplyError) throw error;
      if (['ready', 'connect'].includes(this.redis.status)) this.redis.disconnect(true);
      throw error;
    }
  }

  // A pipeline without ioredis's own (enableAutoPipelining), which makes and settles each command twice: the socket keeps
  // what one turn of the event loop writes and sends it in one piece. Half of a command's CPU time.
  private corkUntilNextTick(): void {
    const { stream } = this.redis;
    if (this.redis.status !== 'ready' || this.corkedStream === stream) return;
    this.corkedStream = stream;
    stream.cork();
    setImmediate(() => {
      this.corkedStream = undefined;
      stream.uncork();
    });
  }

  private async writeWhenReady(signal: AbortSignal): Promise<void> {
    if (this.redis.status !== 'ready') await once(this.redis, 'ready', { signal });
    await Promise.all(CHECK_KEYS.map((key) => this.redis.eval(WRITE, 1, key, CHECK_TTL_SECONDS)));
  }
}

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { TLSSocket } from 'node:tls';
import { Redis, ReplyError } from 'ioredis';
import { UnavailableError, UnsuitableServerError } from '../domain/errors';
import { closeWithin, withTimeout } from '../runtime/timeout';
import type { DependencyState, Logger } from '../services/ports/telemetry';
import { CHECK_KEYS, CHECK_TTL_SECONDS } from './keys-and-lifetimes';

// One request waits for Redis at most 300 ms in all. The limiter gets the smaller share: miscounting is cheaper than a
// wrong decision.
/** For the rate limiter. */
export const COUNT_TIMEOUT_MS = 100;
/** For all other commands of a request together. */
export const REQUEST_TIMEOUT_MS = 200;
/** For the writer's commands of one turn of the event loop. */
export const BATCH_TIMEOUT_MS = 2000;
const CHECK_TIMEOUT_MS = 1000;
// What the service's scripts call: each may be forbidden, or renamed, by itself.
const CHECK_SCRIPT = `
  local calls = { { 'DEL' }, { 'HSET', 'f', 1 }, { 'HGET', 'f' }, { 'HMGET', 'f' }, { 'HDEL', 'f' },
    { 'SET', 1 }, { 'INCR' }, { 'GET' }, { 'PTTL' }, { 'PEXPIRE', ARGV[1] * 1000 } }
  for _, call in ipairs(calls) do redis.call(call[1], KEYS[1], unpack(call, 2)) end`;
const CHECK_SCRIPT_SHA1 = createHash('sha1').update(CHECK_SCRIPT).digest('hex');
const CONNECT_TIMEOUT_MS = 2000;
const QUIT_TIMEOUT_MS = 500;
const MAX_RECONNECT_DELAY_MS = 2000;

/**
 * The one connection to Redis. Commands issued in one turn of the event loop leave as one pipeline, in order.
 * Nothing is queued while disconnected, and every wait has a limit.
 */
export class RedisConnection {
  readonly name = 'redis';
  readonly stopTimeoutMs = 1000;
  private readonly redis: Redis;
  private corkedStream: Redis['stream'] | undefined;
  /** Why the last connection did not become ready. */
  private failure: Error | undefined;
  private connectedAt = performance.now();
  private info = Promise.resolve('');
  /** Whether Redis may delete keys before their time, by its maxmemory-policy. */
  mayEvict = false;

  constructor(private readonly deps: Readonly<{ url: string; state: DependencyState; log: Logger }>) {
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
    this.redis.on('connect', () => (this.failure = new UnavailableError('closed during the handshake')));
    this.redis.on('error', (error: Error) => this.onError(error));
    this.redis.on('ready', () => {
      this.failure = undefined;
      this.connectedAt = performance.now();
      this.info = this.inspect();
    });
  }

  /** How long the connection is there: the server behind an earlier one may have had other data. */
  get connectedMs(): number {
    return performance.now() - this.connectedAt;
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
      if (error instanceof UnavailableError) throw error;
      throw new UnavailableError('Redis failed', { cause: error });
    }
  }

  /**
   * Fails unless Redis runs every command of the service, by itself and in scripts, under each of its prefixes: one that
   * only responds may be too old, full, a replica, a part of a cluster, or deny this user something. A connection that
   * stays silent, open or only being opened, is replaced.
   */
  async check(): Promise<void> {
    const giveUp = new AbortController();
    try {
      await withTimeout(this.workWhenReady(giveUp.signal), CHECK_TIMEOUT_MS, () => this.silence());
    } catch (error) {
      giveUp.abort();
      // It responded: another connection would get the same.
      if (error instanceof ReplyError || error instanceof UnsuitableServerError) throw error;
      if (['ready', 'connect'].includes(this.redis.status)) {
        this.failure = undefined;
        this.redis.disconnect(true);
      }
      throw error;
    }
  }

  // The background check reports outages once; each attempt would only repeat it.
  private onError(error: Error): void {
    this.deps.log.debug('Redis connection error', { error });
    // What the server said, or that it said nothing, explains more than how the connection then ended.
    const isEnd =
      'syscall' in error && error.syscall !== 'connect' && this.failure instanceof UnavailableError;
    if (!isEnd && !(this.failure instanceof ReplyError)) this.failure = error;
    // After a rejected SELECT ioredis would go on, in database 0.
    if (error instanceof ReplyError) this.redis.disconnect(true);
  }

  private async inspect(): Promise<string> {
    const info = await this.redis.info().catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
    const couldEvict = this.mayEvict;
    this.mayEvict = policy !== 'noeviction';
    if (this.mayEvict && !couldEvict)
      this.deps.log.warn('Redis may evict keys: set its maxmemory-policy to noeviction', { policy });
    return info;
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

  private async workWhenReady(signal: AbortSignal): Promise<void> {
    const { redis } = this;
    if (redis.status !== 'ready')
      await once(redis, 'ready', { signal }).catch((error: unknown) => {
        throw this.failure ?? error;
      });
    this.corkUntilNextTick();
    const [user = '', ...scripted] = CHECK_KEYS;
    await Promise.all([
      redis.set(user, '', 'EX', CHECK_TTL_SECONDS, 'NX', 'GET'),
      ...[redis.get(user), redis.exists(user), redis.del(user)],
      ...scripted.map((key) => redis.eval(CHECK_SCRIPT, 1, key, CHECK_TTL_SECONDS)),
      ...scripted.map((key) => redis.evalsha(CHECK_SCRIPT_SHA1, 1, key, CHECK_TTL_SECONDS)),
    ]);
    if ((await this.info).includes('cluster_enabled:1'))
      throw new UnsuitableServerError(
        'REDIS_URL must lead to a Redis that is no cluster: this is a node of one',
      );
  }

  private silence(): Error {
    const { status, stream } = this.redis;
    if (status === 'connecting' && stream instanceof TLSSocket && !stream.connecting)
      return new UnsuitableServerError(
        'REDIS_URL must begin with redis:// if its port has no TLS: nothing answers the handshake',
      );
    const cause = status === 'connect' ? undefined : this.failure;
    return new UnavailableError(`no response within ${CHECK_TIMEOUT_MS} ms`, { cause });
  }
}

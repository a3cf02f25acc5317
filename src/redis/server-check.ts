import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { TLSSocket } from 'node:tls';
import { Redis, ReplyError } from 'ioredis';
import { UnavailableError, UnsuitableServerError } from '../domain/errors';
import { withTimeout } from '../runtime/timeout';
import type { Logger } from '../services/ports/telemetry';
import {
  primariesOf,
  primaryNodes,
  slotsMissing,
  type Primary,
  type RedisClient,
  type RedisCommands,
} from './client';
import { CHECK_KEYS, CHECK_TTL_SECONDS } from './keys-and-lifetimes';

// https://github.com/redis/ioredis/blob/v5.8.2/lib/utils/index.ts
const CONNECTION_CLOSED = 'Connection is closed.';
const CHECK_TIMEOUT_MS = 1000;
// What the service's scripts call: each may be forbidden, or renamed, by itself.
const CHECK_SCRIPT = `
  local calls = { { 'DEL' }, { 'HSET', 'f', 1 }, { 'HGET', 'f' }, { 'HMGET', 'f' }, { 'HDEL', 'f' },
    { 'SET', 1 }, { 'INCR' }, { 'GET' }, { 'PTTL' }, { 'PEXPIRE', ARGV[1] * 1000 } }
  for _, call in ipairs(calls) do redis.call(call[1], KEYS[1], unpack(call, 2)) end`;
const CHECK_SCRIPT_SHA1 = createHash('sha1').update(CHECK_SCRIPT).digest('hex');

/** Finds out whether Redis can do the service's work, and what else there is to know about it. */
export class ServerCheck {
  /** When every primary was found connected; later than a connection that was made since. See RedisConnection. */
  connectedAt = performance.now();
  /** Whether a primary may delete keys before their time, by its maxmemory-policy. */
  mayEvict = false;
  /** Why the last connection did not become ready. */
  private failure: Error | undefined;
  /** Of the primaries at `connectedAt`. */
  private streams: readonly Redis['stream'][] = [];

  constructor(
    private readonly client: RedisClient,
    private readonly log: Logger,
  ) {
    if (client instanceof Redis) {
      client.on('ready', () => (this.failure = undefined));
      client.on('connect', () => (this.failure = new UnavailableError('closed during the handshake')));
      client.on('error', (error: Error) => {
        this.onError(error);
        // After a rejected SELECT ioredis would go on, in database 0.
        if (error instanceof ReplyError) client.disconnect(true);
      });
    } else {
      client.on('connecting', () => (this.failure = undefined));
      // A node that knows of no slots is left again at once.
      client.on('ready', () => (this.failure = client.slots.length > 0 ? undefined : slotsMissing()));
      client.on('node error', (error: Error) => {
        // Comes after the reason, from another connection to the same node.
        if (error.message !== CONNECTION_CLOSED || !this.failure) this.onError(error);
      });
      client.on('error', () => undefined); // Repeats what the last node has said.
    }
  }

  /** See RedisConnection. */
  async run(): Promise<void> {
    const giveUp = new AbortController();
    const silent = new Set<Redis>();
    try {
      await withTimeout(this.workWhenReady(silent, giveUp.signal), CHECK_TIMEOUT_MS, () => this.silence());
      this.failure = undefined;
    } catch (error) {
      giveUp.abort();
      // It responded: another connection would get the same.
      if (error instanceof ReplyError || error instanceof UnsuitableServerError) throw error;
      for (const node of silent) this.replace(node);
      throw error;
    }
  }

  // The background check reports outages once; each attempt would only repeat it.
  private onError(error: Error): void {
    this.log.debug('Redis connection error', { error });
    // What the server said, or that it said nothing, explains more than how the connection then ended.
    const isEnd =
      'syscall' in error && error.syscall !== 'connect' && this.failure instanceof UnavailableError;
    if (!isEnd && !(this.failure instanceof ReplyError)) this.failure = error;
  }

  private async workWhenReady(silent: Set<Redis>, signal: AbortSignal): Promise<void> {
    const { client } = this;
    // Before, a cluster's primaries are not known.
    if (!(client instanceof Redis)) await this.untilReady(client, signal);
    await Promise.all(primariesOf(client).map((primary) => this.workOn(primary, silent, signal)));
    await this.noteConnections();
  }

  private async workOn({ node, tag }: Primary, silent: Set<Redis>, signal: AbortSignal): Promise<void> {
    if (node !== undefined) {
      silent.add(node);
      await this.untilReady(node, signal);
    }
    await runEveryCommand(this.client, tag).finally(() => node && silent.delete(node));
  }

  private async untilReady(client: RedisClient, signal: AbortSignal): Promise<void> {
    if (client.status === 'ready') return;
    const ready = once(client, 'ready', { signal });
    if (client.status === 'wait') client.connect().catch(() => undefined); // It says the same by 'error'.
    await ready.catch((error: unknown) => {
      throw this.failure ?? error;
    });
  }

  private async noteConnections(): Promise<void> {
    const { client, log } = this;
    const nodes = primaryNodes(client);
    const streams = nodes.map(({ stream }) => stream);
    if (streams.every((stream) => this.streams.includes(stream))) return;
    const infos = await Promise.all(nodes.map((node) => node.info().catch(() => '')));
    if (client instanceof Redis && infos.join().includes('cluster_enabled:1'))
      throw new UnsuitableServerError('set REDIS_CLUSTER=true: REDIS_URL leads to a node of a cluster');
    this.streams = streams;
    this.connectedAt = performance.now();
    const policies = infos.map((info) => /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction');
    const policy = policies.find((each) => each !== 'noeviction');
    if (policy !== undefined && !this.mayEvict)
      log.warn('Redis may evict keys: set its maxmemory-policy to noeviction', { policy });
    this.mayEvict = policy !== undefined;
  }

  private replace(node: Redis): void {
    if (!['ready', 'connect'].includes(node.status)) return;
    this.failure = undefined;
    // The next command connects to a node of a cluster again, wherever its keys are then.
    node.disconnect(node === this.client);
  }

  private silence(): Error {
    const { client } = this;
    const [status, stream] = client instanceof Redis ? [client.status, client.stream] : [];
    if (status === 'connecting' && stream instanceof TLSSocket && !stream.connecting)
      return new UnsuitableServerError(
        'REDIS_URL must begin with redis:// if its port has no TLS: nothing answers the handshake',
      );
    const cause = status === 'connect' ? undefined : this.failure;
    return new UnavailableError(`no response within ${CHECK_TIMEOUT_MS} ms`, { cause });
  }
}

/** Every command of the service, by itself and in scripts, under each of its prefixes. */
async function runEveryCommand(redis: RedisCommands, tag: string): Promise<void> {
  const [user = '', ...scripted] = CHECK_KEYS.map((key) => key + tag);
  await Promise.all([
    redis.set(user, '', 'EX', CHECK_TTL_SECONDS, 'NX', 'GET'),
    ...[redis.get(user), redis.exists(user), redis.del(user)],
    ...scripted.map((key) => redis.eval(CHECK_SCRIPT, 1, key, CHECK_TTL_SECONDS)),
    ...scripted.map((key) => redis.evalsha(CHECK_SCRIPT_SHA1, 1, key, CHECK_TTL_SECONDS)),
  ]);
}

import { Redis } from 'ioredis';
import { UnavailableError } from '../domain/errors';
import { closeWithin, withTimeout } from '../runtime/timeout';
import type { DependencyState, Logger } from '../services/ports/telemetry';
import { createClient, primariesOf, primaryNodes, type RedisClient, type RedisCommands } from './client';
import { ServerCheck } from './server-check';

// One request waits for Redis at most 300 ms in all. The limiter gets the smaller share: miscounting is cheaper than a
// wrong decision.
/** For the rate limiter. */
export const COUNT_TIMEOUT_MS = 100;
/** For all other commands of a request together. */
export const REQUEST_TIMEOUT_MS = 200;
/** For the writer's commands of one turn of the event loop. */
export const BATCH_TIMEOUT_MS = 2000;
const QUIT_TIMEOUT_MS = 500;

export interface RedisConnectionDeps {
  /** With `isCluster` those of one or more nodes, with commas between them. */
  readonly url: string;
  readonly isCluster?: boolean;
  readonly state: DependencyState;
  readonly log: Logger;
}

/**
 * The one connection to Redis: to a server, or to each primary of a cluster. Commands issued in one turn of the event loop
 * leave as one pipeline, in order, to each of them. Nothing is queued while disconnected, and every wait has a limit.
 */
export class RedisConnection {
  readonly name = 'redis';
  readonly stopTimeoutMs = 1000;
  private readonly client: RedisClient;
  private readonly serverCheck: ServerCheck;
  private isCorked = false;

  constructor(private readonly deps: RedisConnectionDeps) {
    this.client = createClient(deps.url, deps.isCluster);
    this.serverCheck = new ServerCheck(this.client, deps.log);
  }

  /**
   * For how long all connections have been there: the server behind an earlier one, or a primary before its replica took
   * over, may have had other data.
   */
  get connectedMs(): number {
    return performance.now() - this.serverCheck.connectedAt;
  }

  /** Whether Redis may delete keys before their time, by its maxmemory-policy. */
  get mayEvict(): boolean {
    return this.serverCheck.mayEvict;
  }

  start(): void {
    this.client.connect().catch(() => undefined); // Goes on by itself, and reports by the 'error' event.
  }

  async stop(): Promise<void> {
    if (this.client.status === 'ready') await closeWithin(QUIT_TIMEOUT_MS, this.client.quit());
    this.client.disconnect();
  }

  /**
   * Runs commands within one deadline, and not before `after`, the commands of another run() in the same turn. Throws
   * UnavailableError, at once while Redis is unavailable.
   */
  async run<T>(
    timeoutMs: number,
    commands: (redis: RedisCommands) => Promise<T>,
    after?: Promise<unknown>,
  ): Promise<T> {
    if (this.deps.state.isUnavailable) throw new UnavailableError('Redis is unavailable');
    const timeout = (): Error => new UnavailableError(`Redis did not respond within ${timeoutMs} ms`);
    try {
      return await withTimeout(this.send(commands, after), timeoutMs, timeout);
    } catch (error) {
      // Whatever Redis rejects (loading, out of memory, read-only, no right), the service can do without it.
      if (error instanceof UnavailableError) throw error;
      throw new UnavailableError('Redis failed', { cause: error });
    }
  }

  /** Every server that has keys of its own, for commands that name no key. Throws UnavailableError while one is not connected. */
  get primaries(): readonly RedisCommands[] {
    return primariesOf(this.client).map(({ node }) => {
      if (node === undefined) throw new UnavailableError('a primary of Redis is not connected');
      return node;
    });
  }

  /**
   * Fails unless Redis (each primary of a cluster) runs every command of the service, by itself and in scripts, under each of
   * its prefixes: one that only responds may be too old, full, a replica, or deny this user something. A connection that
   * stays silent, open or only being opened, is replaced.
   */
  check(): Promise<void> {
    return this.serverCheck.run();
  }

  private send<T>(commands: (redis: RedisCommands) => Promise<T>, after?: Promise<unknown>): Promise<T> {
    // Servers of a cluster have no common order.
    if (after && !(this.client instanceof Redis)) return after.then(() => this.send(commands));
    this.corkUntilNextTick();
    return commands(this.client);
  }

  // A pipeline without ioredis's own (enableAutoPipelining), which makes and settles each command twice: the socket keeps
  // what one turn of the event loop writes and sends it in one piece. Half of a command's CPU time.
  private corkUntilNextTick(): void {
    if (this.isCorked) return;
    this.isCorked = true;
    const ready = primaryNodes(this.client).filter(({ status }) => status === 'ready');
    const streams = ready.map(({ stream }) => stream);
    for (const stream of streams) stream.cork();
    setImmediate(() => {
      this.isCorked = false;
      for (const stream of streams) stream.uncork();
    });
  }
}

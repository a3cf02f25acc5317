import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../services/ports/telemetry';
import type { HttpLimits } from './timeouts-and-limits';
import { clientKey } from './middleware/rate-limit';

/** One client's connection, and its responses in flight. */
export class Connection {
  // In the order of their requests, in which they are also sent.
  private readonly responses: { readonly res: ServerResponse; readonly since: number }[] = [];
  private latest: ServerResponse | undefined;

  constructor(private readonly socket: Socket) {
    // Node removes its own listener before it hands over a CONNECT, and an error without one ends the process. 'close'
    // follows and says the rest.
    socket.on('error', () => undefined);
    // Node says nothing to a response that waits behind another one when the client leaves.
    socket.once('close', () => {
      for (const { res } of [...this.responses]) if (res.socket === null) res.emit('close');
    });
  }

  get inFlight(): number {
    return this.responses.length;
  }

  /** Bytes of responses that the client has not taken yet, as far as this process holds them. */
  get bufferedBytes(): number {
    return this.responses.reduce((bytes, { res }) => bytes + res.writableLength, 0);
  }

  /** The Accept header of the request whose body is arriving. */
  get accept(): string | undefined {
    return this.latest?.req.complete === false ? this.latest.req.headers.accept : undefined;
  }

  /** Follows a response until it is sent or cut off. */
  track(res: ServerResponse): void {
    this.latest = res;
    this.responses.push({ res, since: performance.now() });
    res.on('close', this.forgetOldest);
  }

  // One function for all responses: a closure each would live as long as they do.
  private readonly forgetOldest = (): void => {
    const res = this.responses.shift()?.res;
    // Completed cleanly: without the reference it can be collected before the next request (in a flood half of the
    // collector's time).
    if (res === this.latest && res?.req.complete && res.writableFinished && res.shouldKeepAlive)
      this.latest = undefined;
  };

  /**
   * What to do when Node cannot parse what comes next. `respond`: the client would take a response for the one to this
   * very thing. `drain`: the response to an earlier request is still to come, and closes the connection. `destroy`:
   * anything written now would be taken for the response to something else.
   */
  onParseError(): 'respond' | 'drain' | 'destroy' {
    const { latest } = this;
    if (!latest) return 'respond';
    if (!latest.req.complete) return latest.headersSent || latest.socket === null ? 'destroy' : 'respond';
    if (latest.writableFinished && latest.shouldKeepAlive) return 'respond';
    if (latest.headersSent && latest.shouldKeepAlive) return 'destroy';
    latest.shouldKeepAlive = false;
    return 'drain';
  }

  /** Its responses say `Connection: close`, and Node closes it after the last one. */
  drain(): void {
    for (const { res } of this.responses) res.shouldKeepAlive = false;
  }

  /** Closes it if nothing was ever received on it (a browser's spare one), which Node counts as busy. */
  closeIfUnused(): void {
    if (this.socket.bytesRead === 0) this.socket.destroy();
  }

  /** Resets it when a response has been in flight since before `time` (of performance.now()). */
  resetIfOlderThan(time: number): void {
    if (this.responses[0] !== undefined && this.responses[0].since < time) this.reset();
  }

  /** Destroys it, and the kernel drops what it still holds for the client: up to some MB, for minutes otherwise. */
  reset(): void {
    resetSocket(this.socket);
  }
}

/**
 * resetAndDestroy() that also works while a socket is being shut down (`end()` was called, all data are out, the kernel
 * has not confirmed): libuv refuses to reset it then, and Node (20.20) forgets it without closing it, so that 'close'
 * never comes and the process cannot end. Such a socket has nothing left to drop and is destroyed.
 */
export function resetSocket(socket: Socket): void {
  const { writableEnded, writableFinished, writableLength } = socket;
  if (writableEnded && !writableFinished && writableLength === 0) socket.destroy();
  else socket.resetAndDestroy();
}

/** The open connections of all clients, and the limits of what one client may take. */
export class Connections implements Iterable<Connection> {
  private readonly bySocket = new Map<Duplex, Connection>();
  private readonly countByClient = new Map<string, number>();
  private rejected = 0;
  private checkTimer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: { readonly limits: HttpLimits; readonly log: Logger }) {}

  [Symbol.iterator](): Iterator<Connection> {
    return this.bySocket.values();
  }

  of(socket: Duplex): Connection | undefined {
    return this.bySocket.get(socket);
  }

  /** Follows a new connection to its end, or destroys it when its client has too many. */
  accept(socket: Socket): void {
    const client = clientKey(socket.remoteAddress ?? '');
    const others = this.countByClient.get(client) ?? 0;
    if (others >= this.deps.limits.maxConnectionsPerAddress) {
      this.countRejected();
      socket.destroy();
      return;
    }
    this.countByClient.set(client, others + 1);
    this.bySocket.set(socket, new Connection(socket));
    socket.once('close', () => {
      this.bySocket.delete(socket);
      const left = (this.countByClient.get(client) ?? 0) - 1;
      if (left > 0) this.countByClient.set(client, left);
      else this.countByClient.delete(client);
    });
  }

  /** One was not accepted; the log says how many at the next check. */
  countRejected(): void {
    this.rejected += 1;
  }

  /** Looks at intervals for clients that do not read their responses. */
  startChecks(): void {
    this.checkTimer = setInterval(() => this.check(), this.deps.limits.checkIntervalMs);
  }

  stopChecks(): void {
    clearInterval(this.checkTimer);
  }

  private check(): void {
    const { limits, log } = this.deps;
    const oldest = performance.now() - limits.responseTimeoutMs;
    for (const connection of this) connection.resetIfOlderThan(oldest);
    this.resetSlowestReaders();
    if (this.rejected === 0) return;
    const { maxConnections: limit, maxConnectionsPerAddress: limitPerAddress } = limits;
    log.warn('connections rejected (limit reached)', { rejected: this.rejected, limit, limitPerAddress });
    this.rejected = 0;
  }

  private resetSlowestReaders(): void {
    const limit = this.deps.limits.maxBufferedResponseBytes;
    const buffered = [...this].map((each) => ({ connection: each, size: each.bufferedBytes }));
    const bytes = buffered.reduce((sum, { size }) => sum + size, 0);
    let left = bytes;
    let closed = 0;
    for (const { connection, size } of buffered.toSorted((one, other) => other.size - one.size)) {
      if (left <= limit) break;
      connection.reset();
      left -= size;
      closed += 1;
    }
    if (closed > 0) this.deps.log.warn('closed connections with unread responses', { closed, bytes, limit });
  }
}

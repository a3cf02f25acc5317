import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../services/ports';
import { Connection } from './connection';
import type { HttpLimits } from './limits';
import { clientOf } from './middleware/rate-limit';

export interface ConnectionsDeps {
  readonly limits: HttpLimits;
  readonly log: Logger;
}

/** The open connections of all clients, and what one client may take of what is there for all. */
export class Connections implements Iterable<Connection> {
  private readonly bySocket = new Map<Duplex, Connection>();
  private readonly countByClient = new Map<string, number>();
  private refused = 0;
  private checkTimer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: ConnectionsDeps) {}

  [Symbol.iterator](): Iterator<Connection> {
    return this.bySocket.values();
  }

  of(socket: Duplex): Connection | undefined {
    return this.bySocket.get(socket);
  }

  /** Follows a new connection to its end, or cuts it when its client has too many. */
  welcome(socket: Socket): void {
    const client = clientOf(socket.remoteAddress ?? '');
    const others = this.countByClient.get(client) ?? 0;
    if (others >= this.deps.limits.maxConnectionsPerAddress) {
      this.countRefused();
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

  /** One was not let in; the log says how many at the next check. */
  countRefused(): void {
    this.refused += 1;
  }

  /** Looks again and again for clients that do not take their answers. */
  startChecks(): void {
    this.checkTimer = setInterval(() => this.check(), this.deps.limits.checkIntervalMs);
  }

  stopChecks(): void {
    clearInterval(this.checkTimer);
  }

  private check(): void {
    const { limits, log } = this.deps;
    const oldest = performance.now() - limits.answerTimeoutMs;
    for (const connection of this) connection.resetIfOlderThan(oldest);
    this.cutSlowestReaders();
    if (this.refused === 0) return;
    const { maxConnections: limit, maxConnectionsPerAddress: limitPerAddress } = limits;
    log.warn('connections refused', { refused: this.refused, limit, limitPerAddress });
    this.refused = 0;
  }

  private cutSlowestReaders(): void {
    const limit = this.deps.limits.maxUnsentBytes;
    const unsent = [...this].map((each) => [each, each.unsentBytes] as const);
    let total = unsent.reduce((sum, [, bytes]) => sum + bytes, 0);
    if (total <= limit) return;
    const bytesInAll = total;
    let cut = 0;
    for (const [connection, bytes] of unsent.toSorted(([, one], [, other]) => other - one)) {
      if (total <= limit) break;
      connection.reset();
      total -= bytes;
      cut += 1;
    }
    this.deps.log.warn('answers not taken: connections cut', { cut, bytes: bytesInAll, limit });
  }
}

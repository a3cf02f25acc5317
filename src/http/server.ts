import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Express } from 'express';
import type { Logger, RecordRequest } from '../services/ports/telemetry';
import { Connections } from './connections';
import { createExpressPrototypes } from './express-prototypes';
import type { HttpLimits } from './timeouts-and-limits';
import { MAX_HEADERS } from './middleware/reject-ambiguous';
import { respondToClientError } from './unparsable-request';

// Node's 511 are too few for the moment in which all clients come at once: the kernel drops the others, and they wait
// seconds for their next try. The kernel caps it (net.core.somaxconn).
const BACKLOG = 4096;
const IDLE_GRACE_MS = 300;
const DRAIN_TIMEOUT_MS = 7000;

interface HttpServerDeps {
  readonly port: number;
  readonly app: Express;
  readonly recordRequest: RecordRequest;
  readonly log: Logger;
  readonly limits: HttpLimits;
}

/** The listener. Stops by finishing the requests in flight and telling every client to close its connection. */
export class HttpServer {
  readonly name = 'http server';
  readonly stopTimeoutMs = DRAIN_TIMEOUT_MS + 1000;
  private readonly server: Server;
  private readonly connections: Connections;

  constructor(private readonly deps: HttpServerDeps) {
    const { app, limits } = deps;
    this.connections = new Connections(deps);
    const options = {
      ...createExpressPrototypes(app),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
      maxHeaderSize: limits.maxHeaderBytes,
      // Node's own 400 for it has no body; rejectAmbiguousRequests responds.
      requireHostHeader: false,
    };
    this.server = createServer(options, this.onRequest);
    this.server.maxConnections = limits.maxConnections;
    // Node silently drops the headers above the limit; one more is kept so that rejectAmbiguousRequests can count it.
    this.server.maxHeadersCount = MAX_HEADERS + 1;
    // An Expect header that Node does not know is no reason for a bare 417.
    this.server.on('checkExpectation', this.onRequest);
    // Node would invite the body of a request that may be shed: it is invited when it is read. If that does not
    // happen, the client may send it or not, so the connection cannot be used again.
    this.server.on('checkContinue', (req, res) => {
      res.shouldKeepAlive = false;
      req.once('resume', () => {
        if (!res.headersSent) res.writeContinue();
      });
      this.onRequest(req, res);
    });
    this.server.on('clientError', (error, socket) => this.onClientError(error, socket));
    // Node would close the connection without a word.
    this.server.on('connect', (_req, socket) => this.onClientError(new Error('CONNECT'), socket));
    this.server.on('connection', (socket: Socket) => this.connections.accept(socket));
    this.server.on('drop', () => this.connections.countRejected());
  }

  /** Rejects when the port cannot be listened on. */
  async start(): Promise<void> {
    await once(this.server.listen({ port: this.deps.port, backlog: BACKLOG }), 'listening');
    this.connections.startChecks();
  }

  /** The port in use (the one asked for, or a free one when that was 0). */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    // Not http's own close(): that closes idle connections at once, also one whose first request is arriving.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.server, resolve));
    for (const connection of this.connections) connection.drain();
    const timers = [
      setTimeout(() => this.closeIdleConnections(), IDLE_GRACE_MS),
      setTimeout(() => this.server.closeAllConnections(), DRAIN_TIMEOUT_MS),
    ];
    await closed;
    timers.forEach((timer) => clearTimeout(timer));
    this.connections.stopChecks();
  }

  private readonly onRequest: RequestListener = (req, res) => {
    // The server is closed to new connections already; the request came on an old one.
    if (!this.server.listening) res.shouldKeepAlive = false;
    const connection = this.connections.of(req.socket);
    if (connection && connection.inFlight >= this.deps.limits.maxPipelined) connection.reset();
    // Node reads what follows in the same packet all the same.
    if (req.socket.destroyed) return;
    connection?.track(res);
    this.deps.app(req, res);
  };

  private closeIdleConnections(): void {
    this.server.closeIdleConnections();
    for (const connection of this.connections) connection.closeIfUnused();
  }

  private onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const action = this.connections.of(socket)?.onParseError() ?? 'destroy';
    if (action === 'destroy') socket.destroy();
    if (action !== 'respond') return;
    const status = respondToClientError(error, socket, this.connections.of(socket)?.accept);
    if (status !== undefined) this.deps.recordRequest('', 'client_error', status, 0);
  }
}

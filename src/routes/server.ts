import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Express } from 'express';
import type { Logger } from '../services/ports';
import type { AnswerBrokenRequest, BrokenRequest } from './broken-request';
import { Connection } from './connection';
import { expressClasses } from './express-classes';
import { HTTP_LIMITS, type HttpLimits } from './http-limits';
import { listen } from './listen';
import { clientOf } from './middleware/rate-limit';
import { MAX_HEADERS } from './middleware/refuse-ambiguous';

const IDLE_GRACE_MS = 300;
const DRAIN_TIMEOUT_MS = 7000;
const PROBES = new Set(['/api/health', '/api/health/live', '/api/health/ready']);

/** Says whether one more request would be too many, and answers it then. */
export interface Admission {
  isFull(underWay: number): boolean;
  /** One that was let in is through. */
  answered(): void;
  readonly refuse: RequestListener;
}

export interface HttpServerDeps {
  readonly port: number;
  readonly app: Express;
  readonly admission: Admission;
  readonly answerBroken: AnswerBrokenRequest;
  readonly log: Logger;
  /** Those of production unless a test needs others. */
  readonly limits?: Partial<HttpLimits> | undefined;
}

/** The listener. Stops by finishing what is under way and telling every client to close its connection. */
export class HttpServer {
  readonly name = 'http server';
  readonly stopTimeoutMs = DRAIN_TIMEOUT_MS + 1000;
  private readonly port: number;
  private readonly admission: Admission;
  private readonly answer: AnswerBrokenRequest;
  private readonly log: Logger;
  private readonly limits: HttpLimits;
  private readonly server: Server;
  private readonly connections = new Map<Duplex, Connection>();
  private readonly connectionsOf = new Map<string, number>();
  private underWay = 0;
  private refused = 0;
  private checkTimer: NodeJS.Timeout | undefined;

  constructor({ port, app, admission, answerBroken, log, limits }: HttpServerDeps) {
    this.port = port;
    this.admission = admission;
    this.answer = answerBroken;
    this.log = log;
    this.limits = { ...HTTP_LIMITS, ...limits };
    const options = {
      ...expressClasses(app),
      keepAliveTimeout: this.limits.keepAliveTimeoutMs,
      headersTimeout: this.limits.headersTimeoutMs,
      requestTimeout: this.limits.requestTimeoutMs,
      connectionsCheckingInterval: this.limits.checkIntervalMs,
      maxHeaderSize: this.limits.maxHeaderBytes,
      // Node's own 400 for it has no body; refuseAmbiguous answers.
      requireHostHeader: false,
    };
    const onRequest: RequestListener = (req, res) => {
      // The server is closed to new connections already, the request came on an old one.
      if (!this.server.listening) res.shouldKeepAlive = false;
      const connection = this.connections.get(req.socket);
      if (connection && connection.underWay >= this.limits.maxPipelined) connection.reset();
      // Node reads what lies behind it in the same packet all the same.
      if (req.socket.destroyed) return;
      connection?.track(res);
      if (!admission.isFull(this.underWay) || isProbe(req)) {
        this.underWay += 1;
        res.on('close', this.onAnswered);
        app(req, res);
      } else admission.refuse(req, res);
    };
    this.server = createServer(options, onRequest);
    this.server.maxConnections = this.limits.maxConnections;
    // Node drops the headers behind so many; one more than allowed is left to be counted.
    this.server.maxHeadersCount = MAX_HEADERS + 1;
    // An Expect header that Node does not know is no reason for a bare 417.
    this.server.on('checkExpectation', onRequest);
    this.server.on('clientError', (error, socket) => this.answerBroken(error, socket));
    // Node would cut the connection without a word.
    this.server.on('connect', (req, socket) =>
      this.answerBroken(new Error('CONNECT'), socket, req.headers.origin),
    );
    this.server.on('connection', (socket: Socket) => this.welcome(socket));
    this.server.on('drop', () => (this.refused += 1));
  }

  /** Rejects when the port cannot be listened on. */
  async start(): Promise<void> {
    await listen(this.server, this.port);
    this.checkTimer = setInterval(() => this.check(), this.limits.checkIntervalMs);
  }

  /** The port in use (the one asked for, or a free one when that was 0). */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    // Not http's own close(): that cuts idle connections at once, also one whose first request is on its way.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.server, resolve));
    for (const connection of this.connections.values()) connection.closeAfterAnswers();
    const timers = [
      setTimeout(() => this.closeIdleConnections(), IDLE_GRACE_MS),
      setTimeout(() => this.server.closeAllConnections(), DRAIN_TIMEOUT_MS),
    ];
    await closed;
    timers.forEach((timer) => clearTimeout(timer));
    clearInterval(this.checkTimer);
  }

  // Node counts a connection that never sent anything (a browser's spare one) as busy.
  private closeIdleConnections(): void {
    this.server.closeIdleConnections();
    for (const connection of this.connections.values()) if (connection.isUnused) connection.cut();
  }

  // One function for all answers, here and in Connection: a closure each would be garbage that lives as long as it.
  private readonly onAnswered = (): void => {
    this.underWay -= 1;
    this.admission.answered();
  };

  private welcome(socket: Socket): void {
    const client = clientOf(socket.remoteAddress ?? '');
    const others = this.connectionsOf.get(client) ?? 0;
    if (others >= this.limits.maxConnectionsPerAddress) {
      this.refused += 1;
      socket.destroy();
      return;
    }
    this.connectionsOf.set(client, others + 1);
    this.connections.set(socket, new Connection(socket));
    socket.once('close', () => {
      this.connections.delete(socket);
      const left = (this.connectionsOf.get(client) ?? 0) - 1;
      if (left > 0) this.connectionsOf.set(client, left);
      else this.connectionsOf.delete(client);
    });
  }

  private answerBroken(error: BrokenRequest, socket: Duplex, origin?: string): void {
    const connection = this.connections.get(socket);
    const end = connection?.endUnreadable() ?? 'cut';
    if (end === 'answer') this.answer(error, socket, origin ?? connection?.originBeingRead);
    if (end === 'cut') socket.destroy();
  }

  private check(): void {
    const oldest = performance.now() - this.limits.answerTimeoutMs;
    for (const connection of this.connections.values()) connection.resetIfOlderThan(oldest);
    this.cutSlowestReaders();
    if (this.refused === 0) return;
    const { maxConnections: limit, maxConnectionsPerAddress: limitPerAddress } = this.limits;
    this.log.warn('connections refused', { refused: this.refused, limit, limitPerAddress });
    this.refused = 0;
  }

  private cutSlowestReaders(): void {
    const limit = this.limits.maxUnsentBytes;
    const unsent = [...this.connections.values()].map((each) => [each, each.unsentBytes] as const);
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
    this.log.warn('answers not taken: connections cut', { cut, bytes: bytesInAll, limit });
  }
}

// Kubernetes has to learn that the process is busy, not dead.
function isProbe(req: IncomingMessage): boolean {
  return PROBES.has(req.url ?? '');
}

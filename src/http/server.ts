import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Express } from 'express';
import type { Logger } from '../services/ports';
import type { AnswerBrokenRequest, BrokenRequest } from './client-error';
import type { Connection } from './connection';
import { Connections } from './connections';
import { expressClasses } from './express-prototypes';
import { HTTP_LIMITS, type HttpLimits } from './limits';
import { listen } from './listen';
import { MAX_HEADERS } from './middleware/reject-ambiguous';
import type { Refusal } from './refusal';
import type { WaitingRefusals } from './waiting-refusals';

const IDLE_GRACE_MS = 300;
const DRAIN_TIMEOUT_MS = 7000;
const PROBES = new Set(['/api/health', '/api/health/live', '/api/health/ready']);

/** Says whether one more request would be too many. */
export interface Admission {
  isFull(underWay: number): boolean;
  /** One that was let in is through. */
  answered(): void;
}

export interface HttpServerDeps {
  readonly port: number;
  readonly app: Express;
  readonly admission: Admission;
  readonly refusal: Refusal;
  /** Where refusals wait for their turn. */
  readonly waiting: WaitingRefusals;
  readonly answerBroken: AnswerBrokenRequest;
  readonly log: Logger;
  /** Those of production unless a test needs others. */
  readonly limits?: Partial<HttpLimits> | undefined;
}

/** The listener. Stops by finishing what is under way and telling every client to close its connection. */
export class HttpServer {
  readonly name = 'http server';
  readonly stopTimeoutMs = DRAIN_TIMEOUT_MS + 1000;
  private readonly limits: HttpLimits;
  private readonly server: Server;
  private readonly connections: Connections;
  private underWay = 0;

  constructor(private readonly deps: HttpServerDeps) {
    const { app, refusal, limits, log } = deps;
    this.limits = { ...HTTP_LIMITS, ...limits };
    this.connections = new Connections({ limits: this.limits, log });
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
      const connection = this.connections.of(req.socket);
      if (connection && connection.underWay >= this.limits.maxPipelined) connection.reset();
      // Node reads what lies behind it in the same packet all the same.
      if (req.socket.destroyed) return;
      connection?.track(res);
      if (!this.isRefused(req.url ?? '')) {
        this.underWay += 1;
        res.on('close', this.onAnswered);
        app(req, res);
      } else if (connection?.underWay === 1) this.refuse(req, res, connection);
      // It goes out behind the one before it in any case.
      else refusal.answer(req, res);
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
    this.server.on('connection', (socket: Socket) => this.connections.welcome(socket));
    this.server.on('drop', () => this.connections.countRefused());
  }

  /** Rejects when the port cannot be listened on. */
  async start(): Promise<void> {
    await listen(this.server, this.deps.port);
    this.connections.startChecks();
  }

  /** The port in use (the one asked for, or a free one when that was 0). */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    // Not http's own close(): that cuts idle connections at once, also one whose first request is on its way.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.server, resolve));
    for (const connection of this.connections) connection.closeAfterAnswers();
    const timers = [
      setTimeout(() => this.closeIdleConnections(), IDLE_GRACE_MS),
      setTimeout(() => this.server.closeAllConnections(), DRAIN_TIMEOUT_MS),
    ];
    await closed;
    timers.forEach((timer) => clearTimeout(timer));
    this.connections.stopChecks();
  }

  // An arrow function, as connections take it along.
  private readonly isRefused = (path: string): boolean =>
    // Kubernetes has to learn that the process is busy, not dead.
    !PROBES.has(path) && this.deps.admission.isFull(this.underWay);

  private refuse(req: IncomingMessage, res: ServerResponse, connection: Connection): void {
    const { isRefused } = this;
    const { refusal, waiting } = this.deps;
    req.resume(); // Nobody will read its body.
    const refusable = { send: () => refusal.answer(req, res) };
    waiting.add(refusable);
    res.once('close', () => {
      waiting.delete(refusable);
      if (this.server.listening) connection.refuseUnparsed({ refusal, waiting, isRefused });
    });
  }

  // Node counts a connection that never sent anything (a browser's spare one) as busy.
  private closeIdleConnections(): void {
    this.server.closeIdleConnections();
    for (const connection of this.connections) if (connection.isUnused) connection.cut();
  }

  // One function for all answers, here and in Connection: a closure each would be garbage that lives as long as it.
  private readonly onAnswered = (): void => {
    this.underWay -= 1;
    this.deps.admission.answered();
  };

  private answerBroken(error: BrokenRequest, socket: Duplex, origin?: string): void {
    const connection = this.connections.of(socket);
    const end = connection?.endUnreadable() ?? 'cut';
    if (end === 'answer') this.deps.answerBroken(error, socket, origin ?? connection?.originBeingRead);
    if (end === 'cut') socket.destroy();
  }
}

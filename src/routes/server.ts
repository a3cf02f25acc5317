import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Express } from 'express';
import { answerBrokenRequest } from './broken-request';
import { expressClasses } from './express-classes';
import { listen } from './listen';

const KEEP_ALIVE_TIMEOUT_MS = 65_000; // Above the idle timeout of load balancers (60 s), so that they close first.
const HEADERS_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 30_000;
const IDLE_GRACE_MS = 300;
const DRAIN_TIMEOUT_MS = 7000;

/** Says whether one more request would be too many, and answers it then. */
export interface Admission {
  isFull(underWay: number): boolean;
  /** One that was let in is through. */
  answered(): void;
  readonly refuse: RequestListener;
}

/** The listener. Stops by finishing what is under way and telling every client to close its connection. */
export class HttpServer {
  readonly name = 'http server';
  readonly stopTimeoutMs = DRAIN_TIMEOUT_MS + 1000;
  private readonly server: Server;
  private readonly underWay = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly port: number,
    app: Express,
    private readonly admission: Admission,
  ) {
    const options = {
      ...expressClasses(app),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
    };
    const onRequest: RequestListener = (req, res) => {
      // A false shouldKeepAlive makes Node answer `Connection: close` and close behind the answer.
      if (!this.server.listening) res.shouldKeepAlive = false;
      if (!admission.isFull(this.underWay.size) || isProbe(req)) {
        this.track(res);
        app(req, res);
      } else admission.refuse(req, res);
    };
    this.server = createServer(options, onRequest);
    // An Expect header that Node does not know is no reason for a bare 417.
    this.server.on('checkExpectation', onRequest);
    this.server.on('clientError', answerBrokenRequest);
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  /** Rejects when the port cannot be listened on. */
  start(): Promise<void> {
    return listen(this.server, this.port);
  }

  /** The port in use (the one asked for, or a free one when that was 0). */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    // Not http's own close(): that cuts idle connections at once, also one whose first request is on its way.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.server, resolve));
    for (const res of this.underWay) res.shouldKeepAlive = false;
    const timers = [
      setTimeout(() => this.closeIdleConnections(), IDLE_GRACE_MS),
      setTimeout(() => this.server.closeAllConnections(), DRAIN_TIMEOUT_MS),
    ];
    await closed;
    timers.forEach((timer) => clearTimeout(timer));
  }

  // Node counts a connection that never sent anything (a browser's spare one) as busy.
  private closeIdleConnections(): void {
    this.server.closeIdleConnections();
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  private track(res: ServerResponse): void {
    this.underWay.add(res);
    res.once('close', () => {
      this.underWay.delete(res);
      this.admission.answered();
    });
  }
}

// Kubernetes has to learn that the process is busy, not dead.
function isProbe(req: IncomingMessage): boolean {
  return req.url?.startsWith('/api/health') === true;
}

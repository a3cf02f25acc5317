import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** GET /metrics for Prometheus, on a port of its own that no load balancer leads to. */
export class MetricsServer {
  readonly name = 'metrics server';
  readonly stopTimeoutMs = 1000;
  private readonly server: Server;

  constructor(
    private readonly port: number,
    text: { readonly contentType: string; metrics(): Promise<string> },
  ) {
    this.server = createServer((req, res) => {
      if (req.url?.split('?')[0] !== '/metrics') {
        res.writeHead(404).end();
        return;
      }
      text.metrics().then(
        (metrics) => res.writeHead(200, { 'Content-Type': text.contentType }).end(metrics),
        () => res.writeHead(500).end(),
      );
    });
  }

  /** Rejects when the port cannot be listened on. */
  async start(): Promise<void> {
    await once(this.server.listen(this.port), 'listening');
  }

  /** The port in use (the one asked for, or a free one when that was 0). */
  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}

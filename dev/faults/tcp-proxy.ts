import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { resetSocket } from '../../src/http/connections';
import { chooseFreePort } from '../local-stack/ports';

export type Direction = 'request' | 'response';

/** Called with every packet. False drops it; heal() cuts a connection that lost a packet. */
export type Filter = (packet: Buffer, direction: Direction) => boolean;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** No packet passes any more, in either direction, and the connection stays open. */
  silent: boolean;
  hasLost: boolean;
}

/** A TCP proxy in front of one server that can imitate the faults of a network. */
export class TcpProxy {
  readonly host = '127.0.0.1';
  private readonly links = new Set<Link>();
  private listener: Server | undefined;
  private delayMs = 0;
  private filter: Filter | undefined;

  private constructor(
    readonly port: number,
    private readonly target: { readonly host: string; readonly port: number },
  ) {}

  /** Listens on `port` or, without it, on a free one. */
  static async start(
    target: { readonly host: string; readonly port: number },
    port?: number,
  ): Promise<TcpProxy> {
    const proxy = new TcpProxy(port ?? (await chooseFreePort()), target);
    await proxy.listen();
    return proxy;
  }

  /** Resets every connection and refuses new ones. */
  async refuse(): Promise<void> {
    const { listener } = this;
    this.listener = undefined;
    for (const link of this.links) this.cut(link);
    if (listener === undefined) return;
    listener.close();
    await once(listener, 'close');
  }

  /** Delays every packet in both directions. */
  slow(delayMs: number): void {
    this.delayMs = delayMs;
  }

  /** The present connections stay open and carry nothing any more; new ones work. */
  halfOpen(): void {
    for (const link of this.links) link.silent = true;
  }

  /** Requests get through, responses are lost. */
  dropResponses(): void {
    this.intercept((_packet, direction) => direction === 'request');
  }

  intercept(filter: Filter): void {
    this.filter = filter;
  }

  /** Ends every fault; connections that lost a packet are reset. */
  async heal(): Promise<void> {
    this.delayMs = 0;
    this.filter = undefined;
    for (const link of this.links) if (link.silent || link.hasLost) this.cut(link);
    if (this.listener === undefined) await this.listen();
  }

  private async listen(): Promise<void> {
    const listener = createServer({ allowHalfOpen: true }, (client) => this.open(client));
    listener.listen(this.port, this.host);
    await once(listener, 'listening');
    listener.unref();
    this.listener = listener;
  }

  private open(client: Socket): void {
    const { host, port } = this.target;
    const server = connect({ host, port, allowHalfOpen: true });
    const link: Link = { client, server, silent: false, hasLost: false };
    this.links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.unref();
      // 'close' below follows every error and ends the other side.
      socket.on('error', () => undefined);
    }
    this.carry(link, client, server, 'request');
    this.carry(link, server, client, 'response');
  }

  private carry(link: Link, from: Socket, to: Socket, direction: Direction): void {
    let previous = Promise.resolve();
    const inOrder = (then: () => void): void => {
      const due = this.delayMs > 0 ? sleep(this.delayMs) : Promise.resolve();
      previous = previous.then(() => due).then(then);
    };
    from.on('data', (packet: Buffer) => {
      if (link.silent) return;
      if (this.filter?.(packet, direction) === false) link.hasLost = true;
      else inOrder(() => !link.silent && to.writable && to.write(packet));
    });
    from.on('end', () => inOrder(() => !link.silent && to.end()));
    from.on('close', () => {
      if (link.silent) return;
      this.links.delete(link);
      inOrder(() => to.destroy());
    });
  }

  private cut(link: Link): void {
    this.links.delete(link);
    [link.client, link.server].forEach(resetSocket);
  }
}

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { resetSocket } from '../../src/http/connections';
import { chooseFreePort } from '../local-stack/ports';

/** Where bytes come from: the client asks, the server answers. */
export type Direction = 'request' | 'answer';

/** Sees every packet on its way. False drops it; a connection that lost a packet is cut by heal(). */
export type Filter = (packet: Buffer, direction: Direction) => boolean;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, in either direction, and neither side is told. */
  silent: boolean;
  hasLost: boolean;
}

/** A TCP proxy in front of one server, which can do to the connections what networks do. */
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

  /** Cuts every connection and refuses new ones. */
  async refuse(): Promise<void> {
    const { listener } = this;
    this.listener = undefined;
    for (const link of this.links) this.cut(link);
    if (listener === undefined) return;
    listener.close();
    await once(listener, 'close');
  }

  /** Every packet is late by `delayMs`, in each direction. */
  slow(delayMs: number): void {
    this.delayMs = delayMs;
  }

  /** The connections of this moment carry nothing any more and stay open; new ones work. */
  halfOpen(): void {
    for (const link of this.links) link.silent = true;
  }

  /** Requests get through; answers do not. */
  dropAnswers(): void {
    this.intercept((_packet, direction) => direction === 'request');
  }

  intercept(filter: Filter): void {
    this.filter = filter;
  }

  /** All passes again; connections that lost something are cut. */
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
      // Each end hears of the other's end: by 'close' below, which follows every error.
      socket.on('error', () => undefined);
    }
    this.carry(link, client, server, 'request');
    this.carry(link, server, client, 'answer');
  }

  private carry(link: Link, from: Socket, to: Socket, direction: Direction): void {
    let before = Promise.resolve();
    const inOrder = (then: () => void): void => {
      const due = this.delayMs > 0 ? sleep(this.delayMs) : Promise.resolve();
      before = before.then(() => due).then(then);
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

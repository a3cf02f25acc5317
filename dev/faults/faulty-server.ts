import type { LocalServer } from '../local-stack/local-server';
import type { TcpProxy } from './tcp-proxy';

/** A real server with its proxies: the process can fail, and so can the network. */
export class FaultyServer {
  readonly proxies: TcpProxy[] = [];

  constructor(readonly process: LocalServer) {}

  /** From now on the network faults of this server are those of the proxy, too. */
  add(proxy: TcpProxy): void {
    this.proxies.push(proxy);
  }

  async refuse(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.refuse()));
  }

  slow(delayMs: number): void {
    for (const proxy of this.proxies) proxy.slow(delayMs);
  }

  halfOpen(): void {
    for (const proxy of this.proxies) proxy.halfOpen();
  }

  dropResponses(): void {
    for (const proxy of this.proxies) proxy.dropResponses();
  }

  /** Ends every network fault. */
  async heal(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.heal()));
  }
}

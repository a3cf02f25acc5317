import type { LocalServer } from '../local-stack/local-server';
import type { TcpProxy } from './tcp-proxy';

/** A real server with the proxies that lead to it: it can fail as a process, and its network can. */
export class FaultyServer {
  readonly proxies: TcpProxy[] = [];

  constructor(readonly process: LocalServer) {}

  /** A proxy whose network faults are those of this server from now on. */
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

  dropAnswers(): void {
    for (const proxy of this.proxies) proxy.dropAnswers();
  }

  /** The network is as it should be again. */
  async heal(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.heal()));
  }
}

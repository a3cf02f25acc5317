import type { Socket } from 'node:net';
import { readWhole } from './unparsed-request';
import type { Refusal } from './refusal';
import type { Refusable, WaitingRefusals } from './waiting-refusals';

type Parse = (chunk: Buffer) => void;

export interface RefusalShortcutDeps {
  readonly socket: Socket;
  readonly refusal: Refusal;
  readonly waiting: WaitingRefusals;
  /** Whether a request for this path would be refused now. */
  readonly isRefused: (path: string) => boolean;
  /** Whether all requests that came on the connection have been answered. */
  readonly isIdle: () => boolean;
}

/**
 * Refuses what comes on a connection before Node parses it, for less than half of what parsing and answering it costs.
 *
 * Node's parser reads from the socket itself until somebody else listens for `data` (`generateSocketListenerWrapper` in
 * node's lib/_http_server.js); then it is given every chunk by a listener of its own, which stands behind this one here.
 * Whatever is not plainly one whole request goes to the parser, and so does all that follows it.
 */
export class RefusalShortcut implements Refusable {
  private refused: Buffer | undefined;
  isInstalled = true;

  private constructor(
    private readonly deps: RefusalShortcutDeps,
    private readonly parse: Parse,
  ) {}

  /** Stands in front of the parser of a connection on which no request has begun. Undefined when there is none. */
  static install(deps: RefusalShortcutDeps): RefusalShortcut | undefined {
    const { socket } = deps;
    const [parse, another] = socket.listeners('data') as Parse[];
    if (!parse || another) return undefined;
    const shortcut = new RefusalShortcut(deps, parse);
    socket.off('data', parse);
    socket.on('data', shortcut.onData);
    socket.once('close', () => deps.waiting.delete(shortcut));
    return shortcut;
  }

  send(): void {
    const request = this.refused && readWhole(this.refused);
    this.refused = undefined;
    if (request) this.deps.refusal.write(this.deps.socket, request);
  }

  /** Leaves the connection to the parser, with the request that waits for its refusal. */
  remove(): void {
    if (!this.isInstalled) return;
    this.isInstalled = false;
    const { socket, waiting } = this.deps;
    const { refused } = this;
    waiting.delete(this);
    this.refused = undefined;
    socket.off('data', this.onData);
    socket.on('data', this.parse);
    if (refused) this.parse(refused);
  }

  private readonly onData = (chunk: Buffer): void => {
    const { socket, waiting, isRefused, isIdle } = this.deps;
    const request = readWhole(chunk);
    // A second one while the first waits, or a client that does not take its answers: both are the parser's.
    if (!request || this.refused || socket.writableLength > 0) {
      this.remove();
      this.parse(chunk);
    } else if (isIdle() && isRefused(request.path)) {
      this.refused = chunk;
      waiting.add(this);
    } else this.parse(chunk);
  };
}

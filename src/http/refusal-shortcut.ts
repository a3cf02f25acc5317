import type { Socket } from 'node:net';
import type { Refusal } from './refusal';
import { readWhole, type UnparsedRequest } from './unparsed-request';
import type { Refusable, WaitingRefusals } from './waiting-refusals';

type Parse = (chunk: Buffer) => void;

export interface RefusalShortcutDeps {
  readonly socket: Socket;
  readonly refusal: Refusal;
  readonly waiting: WaitingRefusals;
  /** Whether a request for this path would be refused now. */
  readonly isRefused: (path: string) => boolean;
  /** Whether no answer is to come to what the parser was given. */
  readonly isIdle: () => boolean;
}

/**
 * Refuses what comes on a connection before Node parses it, for less than what parsing and answering it costs.
 *
 * Node's parser reads from the socket itself until somebody listens for `data` (`generateSocketListenerWrapper` in node's
 * lib/_http_server.js); from then on a listener gives it every chunk. This one takes that one's place and calls it for
 * each request that is let in. With the first chunk that is not plainly one whole request the parser has its place back.
 */
export class RefusalShortcut implements Refusable {
  private refused: { readonly chunk: Buffer; readonly request: UnparsedRequest } | undefined;
  private isInstalled = true;

  private constructor(
    private readonly deps: RefusalShortcutDeps,
    private readonly parse: Parse,
  ) {}

  /** Undefined when the parser is in the middle of a request, whose rest must not be taken for another one. */
  static install(deps: RefusalShortcutDeps): RefusalShortcut | undefined {
    const { socket } = deps;
    const [parse, another] = socket.listeners('data') as Parse[];
    if (!parse || another || !isBetweenRequests(socket)) return undefined;
    const shortcut = new RefusalShortcut(deps, parse);
    socket.off('data', parse);
    socket.on('data', shortcut.onData);
    socket.on('close', shortcut.onClose);
    return shortcut;
  }

  get isActive(): boolean {
    return this.isInstalled;
  }

  send(): void {
    const { socket, refusal } = this.deps;
    const { refused } = this;
    this.refused = undefined;
    if (refused && socket.writable) refusal.write(socket, refused.request);
  }

  /** Gives the parser its place back, and the request that waits for its refusal. */
  remove(): void {
    if (!this.isInstalled) return;
    this.isInstalled = false;
    const { socket, waiting } = this.deps;
    const { refused } = this;
    waiting.delete(this);
    this.refused = undefined;
    socket.off('data', this.onData);
    socket.off('close', this.onClose);
    socket.on('data', this.parse);
    if (refused) this.parse(refused.chunk);
  }

  private readonly onClose = (): void => this.deps.waiting.delete(this);

  private readonly onData = (chunk: Buffer): void => {
    const { socket, waiting, isRefused, isIdle } = this.deps;
    const request = readWhole(chunk);
    // A second one while the first waits, or a client that does not take its answers: the parser has limits for both.
    if (!request || this.refused || socket.writableLength > 0) {
      this.remove();
      this.parse(chunk);
    } else if (isIdle() && isRefused(request.path)) {
      this.refused = { chunk, request };
      waiting.add(this);
    } else this.parse(chunk);
  };
}

// Node tells it nowhere else. `duration()`: the time since the request that is being parsed began, 0 when there is none
// (src/node_http_parser.cc).
function isBetweenRequests(socket: Socket): boolean {
  const { parser } = socket as Socket & { parser?: { duration?(): number } };
  return parser?.duration?.() === 0;
}

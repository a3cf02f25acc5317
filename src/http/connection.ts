import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RefusalShortcut, type RefusalShortcutDeps } from './refusal-shortcut';
import { resetSocket } from './reset-socket';

/** One client's connection, and its answers that are under way. */
export class Connection {
  // In the order of their requests, in which they also go out.
  private readonly answers: { readonly res: ServerResponse; readonly since: number }[] = [];
  private latest: ServerResponse | undefined;
  private shortcut: RefusalShortcut | undefined;

  constructor(private readonly socket: Socket) {
    // Node takes its own listener away before it hands a CONNECT over, and an error without one ends the process. What
    // an error means is told by 'close', which follows.
    socket.on('error', ignore);
    // Node tells nothing of an answer that waits behind another one when the client leaves.
    socket.once('close', () => {
      for (const { res } of [...this.answers]) if (res.socket === null) res.emit('close');
    });
  }

  /** Its answers that are not out yet. */
  get underWay(): number {
    return this.answers.length;
  }

  /** No answer is to come to what Node has parsed. */
  get isIdle(): boolean {
    return this.answers.length === 0 && this.latest === undefined;
  }

  /** Refuses what comes next before it is parsed. */
  refuseUnparsed(deps: Omit<RefusalShortcutDeps, 'socket' | 'isIdle'>): void {
    if (this.shortcut?.isActive || !this.isIdle || this.socket.destroyed) return;
    this.shortcut = RefusalShortcut.install({ ...deps, socket: this.socket, isIdle: () => this.isIdle });
  }

  /** Bytes that its client has not taken yet, as far as this process holds them. */
  get unsentBytes(): number {
    let bytes = 0;
    for (const { res } of this.answers) bytes += res.writableLength;
    return bytes;
  }

  /** Follows an answer until it is out or cut off. */
  track(res: ServerResponse): void {
    this.latest = res;
    this.answers.push({ res, since: performance.now() });
    res.on('close', this.forgetOldest);
  }

  private readonly forgetOldest = (): void => {
    const res = this.answers.shift()?.res;
    // All went well: endUnreadable() says the same without the latest answer, which would live until the next request.
    if (res === this.latest && res?.req.complete && res.writableFinished && res.shouldKeepAlive)
      this.latest = undefined;
  };

  /**
   * What becomes of the connection when something on it cannot be read. `answer`: the client would take an answer for
   * the one to this very thing. `finish`: an answer to an earlier request is still to come, and closes the connection.
   * `cut`: anything written now would be taken for the answer to something else.
   */
  endUnreadable(): 'answer' | 'finish' | 'cut' {
    const { latest } = this;
    if (!latest) return 'answer';
    if (!latest.req.complete) return latest.headersSent || latest.socket === null ? 'cut' : 'answer';
    if (latest.writableFinished && latest.shouldKeepAlive) return 'answer';
    if (latest.headersSent && latest.shouldKeepAlive) return 'cut';
    latest.shouldKeepAlive = false;
    return 'finish';
  }

  /** Of the request whose body is still being read. */
  get originBeingRead(): string | undefined {
    return this.latest?.req.complete === false ? this.latest.req.headers.origin : undefined;
  }

  /** Nothing was ever sent on it: a browser's spare one. */
  get isUnused(): boolean {
    return this.socket.bytesRead === 0;
  }

  /**
   * What is refused past the parser goes back to it, to be answered with the others. A false shouldKeepAlive makes
   * Node answer `Connection: close` and close behind the answer.
   */
  closeAfterAnswers(): void {
    this.shortcut?.remove();
    for (const { res } of this.answers) res.shouldKeepAlive = false;
  }

  /** Resets it when an answer has been under way since before `time` (of performance.now()). */
  resetIfOlderThan(time: number): void {
    const [oldest] = this.answers;
    if (oldest !== undefined && oldest.since < time) this.reset();
  }

  cut(): void {
    this.socket.destroy();
  }

  /** Cuts it and lets the kernel forget what it still holds for the client, up to some MB, for minutes otherwise. */
  reset(): void {
    resetSocket(this.socket);
  }
}

function ignore(): void {
  // Nothing to do.
}

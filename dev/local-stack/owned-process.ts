import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { guard, release } from './guard';
import { freezeTree, killRestOfGroup, killTree, stopTree, thawTree } from './process-tree';

/** A program to start. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A child process that never outlives this one. It has a session of its own: Ctrl-C in the terminal reaches only the
 * parent, which then stops its children in order.
 */
export class OwnedProcess {
  /** The exit code, or 128 + the signal's number as in a shell, once the process has ended. */
  readonly exited: Promise<number>;
  readonly stdout: Readable | null;
  #running = true;

  private constructor(
    private readonly child: ChildProcess,
    readonly pid: number,
  ) {
    this.stdout = child.stdout;
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#running = false;
        killRestOfGroup(pid);
        release(`process ${pid}`);
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }

  /** Rejects when the program cannot be started. */
  static async start(command: Command, stdio: StdioOptions): Promise<OwnedProcess> {
    const { file, args, ...options } = command;
    const child = spawn(file, args, { ...options, stdio, detached: true });
    if (child.pid === undefined) throw (await once(child, 'error'))[0];
    guard(`process ${child.pid}`);
    return new OwnedProcess(child, child.pid);
  }

  get running(): boolean {
    return this.#running;
  }

  /** From now on the child does not keep this process from ending. */
  unref(): void {
    this.child.unref();
  }

  /** Sends one signal and waits; what still runs after `timeoutMs` is killed. */
  async stop(signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
    if (!this.#running) return;
    this.child.ref(); // The caller waits for the end.
    await stopTree(this.pid, signal, timeoutMs);
    await this.exited;
  }

  /** Ends the process and its descendants as a machine crash would. */
  async kill(): Promise<void> {
    if (!this.#running) return;
    this.child.ref();
    await killTree(this.pid);
    await this.exited;
  }

  /** SIGSTOP for the process and its descendants: connections stay open, without a response. */
  async freeze(): Promise<void> {
    if (this.#running) await freezeTree(this.pid);
  }

  /** Ends freeze(). */
  async thaw(): Promise<void> {
    if (this.#running) await thawTree(this.pid);
  }
}

import { LocalStackError } from './local-stack-error';
import { OwnedProcess } from './owned-process';
import { isPairFree, onFreePorts } from './ports';
import { withLog } from './server-log';
import type { ServerRecipe } from './server-recipe';
import { waitUntilServing } from './wait-until-serving';

const stopTimeoutMs = 15_000;

/** A real server on 127.0.0.1: a child process that faults can be injected into, and that ends with this process. */
export class LocalServer {
  readonly host = '127.0.0.1';

  private constructor(
    private readonly recipe: ServerRecipe,
    readonly port: number,
    private process: OwnedProcess,
  ) {}

  /** Resolves when the server serves clients; rejects with one line that says why it does not. */
  static async start(recipe: ServerRecipe): Promise<LocalServer> {
    return onFreePorts(1, ([port]) => LocalServer.startOn(port, recipe));
  }

  /** Like start(), for a server whose port others must know before. */
  static async startOn(port: number, recipe: ServerRecipe): Promise<LocalServer> {
    return new LocalServer(recipe, port, await launch(recipe, port));
  }

  get name(): string {
    return this.recipe.name;
  }

  /** Changes with each restart. */
  get pid(): number {
    return this.process.pid;
  }

  get isRunning(): boolean {
    return this.process.running;
  }

  /** An orderly stop, of a frozen server too; killed after 15 s. Does nothing when it does not run. */
  async stop(): Promise<void> {
    await this.process.stop(this.recipe.stopSignal, stopTimeoutMs);
  }

  /** A crash: SIGKILL for the server and all its children. Resolves when they are gone. */
  async kill(): Promise<void> {
    await this.process.kill();
  }

  /** A hang: the server keeps its connections, accepts new ones (the kernel does) and answers nothing. */
  async freeze(): Promise<void> {
    await this.process.freeze();
  }

  /** Ends freeze(). */
  async thaw(): Promise<void> {
    await this.process.thaw();
  }

  /** Starts it again on the same port and data (stopping it first if it runs); resolves when it serves clients. */
  async restart(): Promise<void> {
    await this.stop();
    if (!(await isPairFree(this.port))) {
      throw new LocalStackError(`${this.name} cannot restart: another program took port ${this.port}`);
    }
    this.process = await launch(this.recipe, this.port);
  }
}

async function launch(recipe: ServerRecipe, port: number): Promise<OwnedProcess> {
  const command = await recipe.command(port);
  const child = await withLog(recipe.log, (output) =>
    OwnedProcess.start(command, ['ignore', output, output]),
  );
  child.unref();
  try {
    await waitUntilServing(recipe, port, child);
    return child;
  } catch (error) {
    await child.kill();
    throw error;
  }
}

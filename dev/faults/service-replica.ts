import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { OwnedProcess } from '../local-stack/owned-process';
import { checkoutDir } from '../local-stack/paths';
import { withLog } from '../local-stack/server-log';
import { productionOptions, program } from '../production-options';
import { ask } from './http-client';
import type { TcpProxy } from './tcp-proxy';

const livePollMs = 500;
const liveTimeoutMs = 3000;
const startTimeoutMs = 30_000;
const stopTimeoutMs = 40_000;

// On demand: SIGUSR2 blocks its event loop for ten seconds, SIGWINCH collects its garbage.
const onSignals = `
  process.on('SIGUSR2', () => { const end = Date.now() + 10000; while (Date.now() < end); });
  process.on('SIGWINCH', () => gc());`;
const probe = ['--expose-gc', '--import', `data:text/javascript,${encodeURIComponent(onSignals)}`];

export interface ReplicaOptions {
  readonly name: string;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  /** The file for the service's output. */
  readonly log: string;
  readonly nodeOptions: readonly string[];
  /** Of this replica alone. */
  readonly postgres: TcpProxy;
  readonly redis: TcpProxy;
}

/** One process of the built service. Its liveness is probed from outside while it is supposed to run. */
export class ServiceReplica {
  /** Failed liveness probes of the running process. */
  readonly livenessFailures: string[] = [];
  private process: OwnedProcess | undefined;
  private isWatched = false;

  constructor(private readonly options: ReplicaOptions) {}

  get url(): string {
    return `http://127.0.0.1:${this.options.port}`;
  }

  get name(): string {
    return this.options.name;
  }

  get postgres(): TcpProxy {
    return this.options.postgres;
  }

  get redis(): TcpProxy {
    return this.options.redis;
  }

  get isRunning(): boolean {
    return this.process?.running === true;
  }

  /** Changes with each start. */
  get pid(): number | undefined {
    return this.process?.pid;
  }

  /** The exit code of the current process. */
  get exited(): Promise<number> {
    return this.process?.exited ?? Promise.resolve(0);
  }

  /** Starts the process; resolves when it listens, ready or not. */
  async start(): Promise<void> {
    const { env, port, log, nodeOptions } = this.options;
    const command = {
      file: process.execPath,
      args: [...productionOptions, ...probe, ...nodeOptions, program],
      cwd: checkoutDir,
      env: { ...env, PORT: String(port) },
    };
    const started = await withLog(log, (output) => OwnedProcess.start(command, ['ignore', output, output]));
    this.process = started;
    await this.untilLive(started);
    this.isWatched = true;
    void this.watchLiveness(started);
  }

  /** An orderly stop; its exit code. */
  async stop(): Promise<number> {
    const { process: running } = this;
    if (running === undefined) return 0;
    this.isWatched = false;
    await running.stop('SIGTERM', stopTimeoutMs);
    return running.exited;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.isWatched = false;
    await this.process?.kill();
  }

  /** Not one more instruction runs; to be followed by kill(). */
  freeze(): void {
    this.isWatched = false;
    if (this.pid !== undefined) process.kill(this.pid, 'SIGSTOP');
  }

  /** Blocks the event loop for ten seconds, without liveness probes. */
  async blockEventLoop(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    this.isWatched = false;
    process.kill(pid, 'SIGUSR2');
    await sleep(10_000);
    this.isWatched = true;
  }

  /** Resident memory in bytes after a garbage collection, since the amount of garbage varies. */
  async rssBytes(): Promise<number> {
    if (this.pid === undefined) return 0;
    process.kill(this.pid, 'SIGWINCH');
    await sleep(500);
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(this.pid)]);
    return Number(stdout.trim()) * 1024;
  }

  private async untilLive(started: OwnedProcess): Promise<void> {
    const giveUpAt = performance.now() + startTimeoutMs;
    while (performance.now() < giveUpAt && started.running) {
      if ((await this.askLive()).status === 200) return;
      await sleep(50);
    }
    throw new Error(`${this.name} did not start: see ${this.options.log}`);
  }

  private async watchLiveness(watched: OwnedProcess): Promise<void> {
    while (watched.running && this.process === watched) {
      const wasWatched = this.isWatched;
      const { status, body } = await this.askLive();
      if (status !== 200 && wasWatched && this.isWatched && this.process === watched) {
        this.livenessFailures.push(`${this.name} at ${new Date().toISOString()}: ${status} ${body}`);
      }
      await sleep(livePollMs, undefined, { ref: false });
    }
  }

  private askLive(): ReturnType<typeof ask> {
    return ask(`${this.url}/api/health/live`, liveTimeoutMs, undefined, { isProbe: true });
  }
}

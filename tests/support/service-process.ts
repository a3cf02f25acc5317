import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { eventually } from './eventually';
import { send } from './raw-http';
import type { Env } from './test-servers';

const TSX = ['--import', 'tsx'];
const run = promisify(execFile);

/** The environment of a child: nothing of this machine's service settings, only what the test gives. */
export function childEnv(env: Env): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { ...(PATH !== undefined && { PATH }), ...(HOME !== undefined && { HOME }), ...env };
}

/** Runs an entry point to its end; resolves to what it printed and its exit code. */
export async function runEntryPoint(
  file: string,
  env: Env,
  args: readonly string[] = [],
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const output = await run(process.execPath, [...TSX, file, ...args], { env: childEnv(env) });
    return { code: 0, ...output };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

const started: ServiceProcess[] = [];

afterAll(() => started.forEach((service) => service.signal('SIGKILL')));

/** The service as a process of its own, as `npm start` runs it. */
export class ServiceProcess {
  output = '';
  readonly exited: Promise<number | null>;

  private constructor(private readonly child: ChildProcess) {
    const collect = (text: Buffer): void => {
      this.output += text.toString();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    this.exited = once(child, 'exit').then(([code]) => code as number | null);
  }

  /** Resolves when it is ready. */
  static async start(env: Env): Promise<ServiceProcess> {
    const service = ServiceProcess.launch(env);
    await eventually(async () => {
      if ((await send(`${service.url}/api/health/ready`)).status !== 200)
        throw new Error(`not ready: ${service.output}`);
    });
    return service;
  }

  /** On its way. It listens on a free port of its own choice. */
  static launch(env: Env): ServiceProcess {
    const defaults = {
      NODE_ENV: 'production',
      PORT: '0',
      METRICS_PORT: '0',
      MIGRATE_ON_START: 'false',
      RATE_LIMIT_MAX: '1000000',
    };
    const child = spawn(process.execPath, [...TSX, 'src/main.ts'], {
      env: childEnv({ ...defaults, ...env }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const service = new ServiceProcess(child);
    started.push(service);
    return service;
  }

  get url(): string {
    const port = /"port":(\d+)/.exec(this.output)?.[1];
    if (port === undefined) throw new Error(`not listening: ${this.output}`);
    return `http://127.0.0.1:${port}`;
  }

  /** What one of its metrics says now. */
  async metric(series: string): Promise<number> {
    const port = /"metricsPort":(\d+)/.exec(this.output)?.[1] ?? '';
    const { body } = await send(`http://127.0.0.1:${port}/metrics`);
    const line = body.split('\n').find((each) => each.startsWith(`${series} `));
    if (line === undefined) throw new Error(`no ${series} in ${body}`);
    return Number(line.slice(series.length));
  }

  /** Its log is not read any more. */
  closeLog(): void {
    this.child.stdout?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** An orderly stop; its exit code. */
  stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.exited;
  }
}

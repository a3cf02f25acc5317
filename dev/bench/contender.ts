import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql, type Env } from '../../tests/support/test-servers';
import { eventually } from '../faults/eventually';
import { ask } from '../faults/http-client';
import { OwnedProcess } from '../local-stack/owned-process';
import { checkoutDir } from '../local-stack/paths';
import { chooseFreePort } from '../local-stack/ports';
import { productionOptions } from '../production-options';
import type { ContenderRecipe } from './contenders';

const startLimitSeconds = 30;
const stopLimitMs = 30_000;
const drainLimitSeconds = 600;
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** A contender that runs, with a database, a Redis database and a topic of its own on the shared servers. */
export class Contender {
  private readonly replicas: OwnedProcess[] = [];

  private constructor(
    readonly recipe: ContenderRecipe,
    readonly url: string,
    readonly env: Env,
    readonly startSeconds: number,
    private running: OwnedProcess,
  ) {}

  static async start(recipe: ContenderRecipe, servers: Env, nth: number): Promise<Contender> {
    const database = `bench_${recipe.name.replaceAll('-', '_')}`;
    await sql(servers, `CREATE DATABASE ${database}`);
    const port = String(await chooseFreePort());
    const env = {
      ...servers,
      DB_NAME: database,
      REDIS_URL: `${servers['REDIS_URL'] ?? ''}/${nth}`,
      KAFKA_TOPIC: recipe.name,
      KAFKA_GROUP_ID: recipe.name,
      DB_POOL_MAX: '20',
      NODE_ENV: 'production',
      RATE_LIMIT_MAX: '1000000000',
      // As with a proxy in front: one address may open any number of connections.
      TRUST_PROXY: '1',
      METRICS_PORT: '0',
      PORT: port,
    };
    migrate(env);
    const { running, seconds } = await startProcess(recipe, env);
    return new Contender(recipe, `http://127.0.0.1:${port}`, env, seconds, running);
  }

  /** Resolves to the seconds that the new start took. */
  async restart(): Promise<number> {
    await this.running.stop('SIGTERM', stopLimitMs);
    const { running, seconds } = await startProcess(this.recipe, this.env);
    this.running = running;
    return seconds;
  }

  /** One more process, that shares the work of the consumer. */
  async addReplica(): Promise<void> {
    const port = String(await chooseFreePort());
    const { running } = await startProcess(this.recipe, { ...this.env, PORT: port });
    this.replicas.push(running);
  }

  /** CPU time that the process has used so far, in microseconds. */
  get cpuMicroseconds(): number {
    const fields = readFileSync(`/proc/${this.running.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
  }

  /** Resident memory, in MB. */
  get rssMb(): number {
    const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.running.pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kb) / 1024);
  }

  async countRows(): Promise<number> {
    const [row] = await sql(this.env, 'SELECT count(*)::int AS rows FROM users');
    return Number(row?.['rows']);
  }

  /** The last id that was given to a row, however many rows there are: it costs no more than a look-up. */
  async lastId(): Promise<number> {
    const sequence = "pg_get_serial_sequence('users', 'id')";
    const [row] = await sql(this.env, `SELECT pg_sequence_last_value(${sequence})::int AS id`);
    return Number(row?.['id']);
  }

  /** Resolves when the table holds that many rows. */
  async untilStored(rows: number): Promise<void> {
    await eventually(`${rows} rows`, drainLimitSeconds, async () => (await this.countRows()) >= rows);
  }

  /** Keeps it from consuming. */
  freeze(): void {
    for (const { pid } of this.all) process.kill(pid, 'SIGSTOP');
  }

  thaw(): void {
    for (const { pid } of this.all) process.kill(pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((each) => each.kill()));
  }

  private get all(): OwnedProcess[] {
    return [this.running, ...this.replicas];
  }
}

/** Resolves when it is ready. */
async function startProcess(
  recipe: ContenderRecipe,
  env: Env,
): Promise<{ running: OwnedProcess; seconds: number }> {
  const args = [...productionOptions, recipe.program];
  const command = { file: process.execPath, args, cwd: checkoutDir, env: { ...process.env, ...env } };
  // The log goes to /dev/null: a pipe would need a reader, which takes CPU.
  const startedAt = performance.now();
  const running = await OwnedProcess.start(command, ['ignore', 'ignore', 'inherit']);
  await eventually(`${recipe.name} is ready`, startLimitSeconds, async () => {
    return (await ask(`http://127.0.0.1:${env['PORT'] ?? ''}/api/health/ready`, 1000)).status === 200;
  });
  return { running, seconds: (performance.now() - startedAt) / 1000 };
}

function migrate(env: Env): void {
  const program = join(checkoutDir, 'dist/migrate.js');
  execFileSync(process.execPath, [program], { env: { ...process.env, ...env }, stdio: 'ignore' });
}

import { Socket } from 'node:net';
import { DatabaseError, Pool, type PoolConfig, type QueryResult, type QueryResultRow } from 'pg';
import type { Config } from '../config/config';
import { UnavailableError, UnsuitableServerError } from '../domain/errors';
import { withTimeout } from '../runtime/timeout';
import type { DependencyState, Logger } from '../services/ports/telemetry';
import { translatePostgresError } from './errors';
import { hinted, suitabilityCheck } from './suitability';
import { USER_COLUMNS } from './user-columns';

const CONNECT_TIMEOUT_MS = 3000;
const CHECK_TIMEOUT_MS = 3000;
// A role's or a database's settings, a password and the right to connect only apply to new sessions.
const CHECK_SESSION_SECONDS = 5;
const READ_CHECK_TIMEOUT_MS = 400;
const QUERY_TIMEOUT_MS = 11_000;
// A frozen server never responds, and keeps none of the limits that it was given: so much longer it is waited for.
const SILENCE_MS = 1000;
const DRAIN_MS = 1000;

type PostgresPoolDeps = Readonly<{ config: Config['postgres']; state: DependencyState; log: Logger }>;

/** Runs a statement and resolves to its rows. */
export type Run = <R extends QueryResultRow>(sql: string, values?: unknown[]) => Promise<R[]>;

/** The connection pool: every wait is bounded, and nothing waits while the background check says it is unavailable. */
export class PostgresPool {
  readonly name = 'postgres';
  readonly stopTimeoutMs = 2000;
  private readonly pool: Pool;
  // Its own connection: a pool that is busy is no outage.
  private readonly checkPool: Pool;
  private readonly sockets = new Set<Socket>();

  constructor(private readonly deps: PostgresPoolDeps) {
    this.pool = this.createPool({ max: deps.config.poolMax, query_timeout: QUERY_TIMEOUT_MS });
    const lifetime = { maxLifetimeSeconds: CHECK_SESSION_SECONDS };
    this.checkPool = this.createPool({ max: 1, query_timeout: CHECK_TIMEOUT_MS, ...lifetime });
  }

  /** Waits a moment for queries in flight, then cuts them off: a frozen server never responds. */
  async stop(): Promise<void> {
    const pools = [this.pool, this.checkPool].filter((pool) => !pool.ending);
    const cut = setTimeout(() => this.sockets.forEach((socket) => socket.destroy()), DRAIN_MS);
    await Promise.all(pools.map((pool) => pool.end())).finally(() => clearTimeout(cut));
  }

  /** Connections, and queries that wait for one. */
  get usage(): Record<'used' | 'idle' | 'waiting' | 'max', number> {
    const { totalCount, idleCount, waitingCount } = this.pool;
    const { poolMax } = this.deps.config;
    return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount, max: poolMax };
  }

  /** For look-ups, which only this side limits. Throws UnavailableError at once while PostgreSQL is unavailable. */
  async query<R extends QueryResultRow>(sql: string, values: unknown[]): Promise<R[]> {
    this.assertAvailable();
    return (await this.pool.query<R>(sql, values).catch(translated)).rows;
  }

  /**
   * For what may take long: a transaction, in which the server itself ends each statement after `timeoutMs`. Committed when
   * `work` resolves. `first`: a statement that goes before it, in BEGIN's round trip. Throws UnavailableError at once while
   * PostgreSQL is unavailable.
   */
  async transaction<T>(timeoutMs: number, work: (run: Run) => Promise<T>, first = ''): Promise<T> {
    this.assertAvailable();
    return this.runTransaction(timeoutMs, work, first).catch(translated);
  }

  /** Rejects unless users can be read and, by whom does so, stored and erased; where the set-up is at fault, with a hint. */
  async check(writes = true, erases = false): Promise<void> {
    const checking = this.checkPool.query(suitabilityCheck(writes, erases));
    const results: unknown = await checking.catch((error: unknown) => {
      throw hinted(translatePostgresError(error));
    });
    // Several statements have several results, whatever the type says.
    const rows = (results as QueryResult<{ problem?: string | null }>[]).flatMap((each) => each.rows);
    const problem = rows.find((row) => row.problem)?.problem;
    if (problem) throw new UnsuitableServerError(problem);
  }

  /** Whether users can be read although check() failed with this error. A server that was silent is not asked again. */
  async canRead(error: unknown): Promise<boolean> {
    const { cause } = error as Error;
    if (!(error instanceof UnsuitableServerError || cause instanceof DatabaseError)) return false;
    const read = (run: Run) => run(`SELECT ${USER_COLUMNS} FROM users LIMIT 0`);
    const reading = this.runTransaction(READ_CHECK_TIMEOUT_MS, read).then(() => true);
    // A connection of the pool may be a silent one.
    return withTimeout(reading, READ_CHECK_TIMEOUT_MS, () => new Error('silent')).catch(() => false);
  }

  // READ COMMITTED, whatever a role has by default: each statement sees what was committed before `first` had its lock. By SET
  // LOCAL: as start-up parameters poolers reject them, and a session they may hand to another client.
  private async runTransaction<T>(timeoutMs: number, work: (run: Run) => Promise<T>, first = ''): Promise<T> {
    const client = await this.pool.connect();
    const silent = (): Error => new UnavailableError('PostgreSQL is silent');
    const query = <R extends QueryResultRow>(sql: string, values?: unknown[]) =>
      withTimeout(client.query<R>(sql, values), timeoutMs + SILENCE_MS, silent);
    let isDone = false;
    try {
      await query(
        `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = ${timeoutMs}; SET LOCAL lock_timeout = ${timeoutMs / 2};
         SET LOCAL idle_in_transaction_session_timeout = ${timeoutMs}; ${first}`,
      );
      const result = await work(
        async <R extends QueryResultRow>(sql: string, values?: unknown[]) =>
          (await query<R>(sql, values).catch(translated)).rows,
      );
      await query('COMMIT');
      isDone = true;
      return result;
    } finally {
      client.release(!isDone); // Closed with its transaction, and with a session that may be at fault.
    }
  }

  private assertAvailable(): void {
    if (this.deps.state.isUnavailable) throw new UnavailableError('PostgreSQL is unavailable');
  }

  private createPool(options: PoolConfig): Pool {
    const pool = new Pool({
      ...connectionOptions(this.deps.config),
      ...options,
      stream: () => this.openSocket(),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // Without a listener a connection that dies, idle or between two statements, ends the process.
    const onLost = (error: Error): unknown => this.deps.log.debug('PostgreSQL connection lost', { error });
    pool.on('error', onLost);
    return pool.on('connect', (client) => client.on('error', onLost));
  }

  private openSocket(): Socket {
    const socket = new Socket();
    this.sockets.add(socket);
    return socket.once('close', () => this.sockets.delete(socket));
  }
}

function translated(error: unknown): never {
  throw translatePostgresError(error);
}

/** How to reach the database: the same for the pool and for migrations. */
export function connectionOptions(config: Config['postgres']) {
  return { ...config, keepAlive: true, application_name: 'user-registration-backend' };
}

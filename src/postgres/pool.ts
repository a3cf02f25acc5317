import { Socket } from 'node:net';
import { Pool, type QueryConfig, type QueryResultRow } from 'pg';
import type { Config } from '../config/config';
import { UnavailableError } from '../domain/errors';
import type { DependencyState, Logger } from '../services/ports/telemetry';
import { translatePostgresError } from './errors';

const CONNECT_TIMEOUT_MS = 3000;
const CHECK_TIMEOUT_MS = 3000;
const STATEMENT_TIMEOUT_MS = 10_000;
const DRAIN_MS = 1000;

export interface PostgresPoolDeps {
  readonly config: Config['postgres'];
  readonly state: DependencyState;
  readonly log: Logger;
}

/** The connection pool: every wait is bounded, and nothing waits while the background check says it is unavailable. */
export class PostgresPool {
  readonly name = 'postgres';
  readonly stopTimeoutMs = 2000;
  private readonly pool: Pool;
  // Its own connection: a pool that is busy is no outage.
  private readonly checkPool: Pool;
  private readonly sockets = new Set<Socket>();

  constructor(private readonly deps: PostgresPoolDeps) {
    const { config } = deps;
    this.pool = new Pool({
      ...connectionOptions(config),
      stream: () => this.openSocket(),
      max: config.poolMax,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      // A frozen server never responds: the client gives up by itself shortly after the server should have.
      query_timeout: STATEMENT_TIMEOUT_MS + 1000,
    });
    this.checkPool = new Pool({
      ...connectionOptions(config),
      stream: () => this.openSocket(),
      max: 1,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: CHECK_TIMEOUT_MS,
    });
    // Without a listener a connection that dies while idle ends the process.
    for (const pool of [this.pool, this.checkPool]) {
      pool.on('error', (error) => deps.log.debug('idle PostgreSQL connection lost', { error }));
    }
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

  /** For requests and batches. Throws UnavailableError at once while PostgreSQL is unavailable. */
  async query<R extends QueryResultRow>(sql: string, values: unknown[]): Promise<R[]> {
    if (this.deps.state.isUnavailable) throw new UnavailableError('PostgreSQL is unavailable');
    return run<R>(this.pool, { text: sql, values });
  }

  /** Fails unless PostgreSQL responds and has the schema. */
  async check(): Promise<void> {
    await run(this.checkPool, { text: 'SELECT FROM users LIMIT 0' });
  }

  private openSocket(): Socket {
    const socket = new Socket();
    this.sockets.add(socket);
    return socket.once('close', () => this.sockets.delete(socket));
  }
}

async function run<R extends QueryResultRow>(pool: Pool, query: QueryConfig): Promise<R[]> {
  try {
    const { rows } = await pool.query<R>(query);
    return rows;
  } catch (error) {
    throw translatePostgresError(error);
  }
}

/** How to reach the database: the same for the pool and for migrations. */
export function connectionOptions(config: Config['postgres']) {
  const { host, port, database, user, password, ssl } = config;
  return {
    host,
    port,
    database,
    user,
    password,
    ssl,
    keepAlive: true,
    application_name: 'user-registration-backend',
  };
}

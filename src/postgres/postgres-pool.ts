import { Pool, type QueryResultRow } from 'pg';
import type { Config } from '../config/config';
import { UnavailableError } from '../domain/errors';
import type { DependencyState, Logger } from '../services/ports';
import { translatePostgresError } from './postgres-errors';

const CONNECT_TIMEOUT_MS = 3000;
const CHECK_TIMEOUT_MS = 3000;
const STATEMENT_TIMEOUT_MS = 10_000;

export interface PostgresPoolDeps {
  readonly config: Config['postgres'];
  readonly state: DependencyState;
  readonly log: Logger;
}

/** The connection pool: every wait is bounded, and nothing waits while the background check says it is away. */
export class PostgresPool {
  readonly name = 'postgres';
  readonly stopTimeoutMs = 2000;
  private readonly pool: Pool;
  // Its own connection: a pool that is busy is no outage.
  private readonly checkPool: Pool;

  constructor(private readonly deps: PostgresPoolDeps) {
    const { config } = deps;
    this.pool = new Pool({
      ...connectionOptions(config),
      max: config.poolMax,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      // A frozen server never answers: the client gives up by itself shortly after the server should have.
      query_timeout: STATEMENT_TIMEOUT_MS + 1000,
    });
    this.checkPool = new Pool({
      ...connectionOptions(config),
      max: 1,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: CHECK_TIMEOUT_MS,
    });
    // Without a listener a connection that dies while idle ends the process.
    for (const pool of [this.pool, this.checkPool]) {
      pool.on('error', (error) => deps.log.debug('idle PostgreSQL connection lost', { error }));
    }
  }

  start(): void {
    // Connections are made on demand.
  }

  async stop(): Promise<void> {
    const pools = [this.pool, this.checkPool].filter((pool) => !pool.ending);
    await Promise.all(pools.map((pool) => pool.end()));
  }

  /** For requests and batches. Throws UnavailableError at once while PostgreSQL is away. */
  async query<R extends QueryResultRow>(sql: string, values: unknown[]): Promise<R[]> {
    if (this.deps.state.isAway) throw new UnavailableError('PostgreSQL is away');
    return run<R>(this.pool, sql, values);
  }

  /** Fails unless PostgreSQL answers and holds the schema. */
  async check(): Promise<void> {
    await run(this.checkPool, 'SELECT FROM users LIMIT 0', []);
  }
}

async function run<R extends QueryResultRow>(pool: Pool, sql: string, values: unknown[]): Promise<R[]> {
  try {
    const { rows } = await pool.query<R>(sql, values);
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

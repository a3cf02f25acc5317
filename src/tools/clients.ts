import type { Config } from '../config/config';
import { UnavailableError } from '../domain/errors';
import { BoundedReader } from './topic-reader';
import { KafkaDeadLetterArchive } from './dead-letter-archive';
import { createKafka } from '../kafka/kafka-client';
import { KafkaRegistrationTopic } from './registration-publisher';
import { RecordSender } from '../kafka/record-sender';
import { PostgresPool } from '../postgres/postgres-pool';
import { PostgresUsers } from '../postgres/postgres-users';
import { RedisCompletedUsers } from '../redis/redis-completed-users';
import { RedisConnection } from '../redis/redis-connection';
import { RedisPendingEntries } from '../redis/redis-pending-entries';
import { RedisPendingRegistrations } from '../redis/redis-pending-registrations';
import { Lifecycle } from '../runtime/lifecycle';
import type { Logger, Users } from '../services/ports';

// A tool reports by its own lines; what the clients say meanwhile is for the service's log.
const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

// No background check runs here: every command tries for itself.
const UNCHECKED = { isAway: false };
const STOP_TIMEOUT_MS = 5000;

/** The dead letters; connects when they are asked for something. */
export function openArchive({ kafka: config }: Config): KafkaDeadLetterArchive {
  const kafka = createKafka(config, SILENT);
  const reader = new BoundedReader({ kafka, groupPrefix: `${config.groupId}-dlq` });
  return new KafkaDeadLetterArchive({ kafka, topic: config.deadLetterTopic, reader });
}

export type Stores = ReturnType<typeof buildStores>;

/** Lends the stores and the topic to `work` once Redis and PostgreSQL answer. Throws UnavailableError. */
export async function withStores<T>(config: Config, work: (stores: Stores) => Promise<T>): Promise<T> {
  const pool = new PostgresPool({ config: config.postgres, state: UNCHECKED, log: SILENT });
  const redis = new RedisConnection({ url: config.redis.url, state: UNCHECKED, log: SILENT });
  const sender = new RecordSender(createKafka(config.kafka, SILENT), SILENT);
  const lifecycle = new Lifecycle(SILENT);
  lifecycle.register([pool, redis, sender]);
  try {
    await lifecycle.start();
    await Promise.all([reach('Redis', redis.check()), reach('PostgreSQL', pool.check())]);
    return await work(buildStores(config, pool, redis, sender));
  } finally {
    await lifecycle.stop(STOP_TIMEOUT_MS);
  }
}

/** Lends the users table to `work` once PostgreSQL answers and holds it. Throws UnavailableError. */
export async function withUsers<T>(config: Config, work: (users: Users) => Promise<T>): Promise<T> {
  const pool = new PostgresPool({ config: config.postgres, state: UNCHECKED, log: SILENT });
  try {
    await reach('PostgreSQL', pool.check());
    return await work(new PostgresUsers(pool));
  } finally {
    await pool.stop();
  }
}

function buildStores(config: Config, pool: PostgresPool, redis: RedisConnection, sender: RecordSender) {
  return {
    users: new PostgresUsers(pool),
    completed: new RedisCompletedUsers(redis),
    pending: new RedisPendingRegistrations(redis),
    entries: new RedisPendingEntries(redis),
    topic: new KafkaRegistrationTopic({ topic: config.kafka.topic, sender }),
  };
}

/** Throws UnavailableError, with the name of what is away, when the check or the work fails. */
export async function reach(name: string, check: Promise<unknown>): Promise<void> {
  try {
    await check;
  } catch (error) {
    throw new UnavailableError(`${name} is away`, { cause: error });
  }
}

import type { Config } from '../config/config';
import { UnavailableError } from '../domain/errors';
import { createKafka, withAdmin } from '../kafka/client';
import { KafkaProducer } from '../kafka/producer';
import { TopicSettings } from '../kafka/topic-settings';
import { PostgresErasures } from '../postgres/erasures';
import { PostgresExpiredUsers } from '../postgres/expired-users';
import { PostgresPool } from '../postgres/pool';
import { PostgresUsers } from '../postgres/users';
import { RedisConnection } from '../redis/connection';
import { RedisFailureMarks } from '../redis/failure-marks';
import { RedisReservationReader, RedisReservations } from '../redis/reservations';
import { RedisUserCache } from '../redis/user-cache';
import { Lifecycle } from '../runtime/lifecycle';
import { ErasureService } from '../services/erasure-service';
import type { Logger } from '../services/ports/telemetry';
import { RegistrationPublisher } from './registration-publisher';

export const STOP_TIMEOUT_MS = 5000;

/** A tool prints its own lines; what the clients log meanwhile is meant for the service's log. */
export const NOOP_LOGGER: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A tool has no background check: every command tries for itself. */
export const ASSUME_AVAILABLE = { isUnavailable: false };

export type Stores = ReturnType<typeof createStores>;

/**
 * Runs `work` with the stores and the publisher once PostgreSQL and Redis are reachable. One that `erases` needs the rights
 * to do so, and no Redis: without it the service cleans it later. Throws UnavailableError.
 */
export async function withStores(
  config: Config,
  work: (stores: Stores) => Promise<void>,
  erases = false,
): Promise<void> {
  const redisState = { isUnavailable: false };
  const pool = new PostgresPool({ config: config.postgres, state: ASSUME_AVAILABLE, log: NOOP_LOGGER });
  const redis = new RedisConnection({ ...config.redis, state: redisState, log: NOOP_LOGGER });
  const producer = new KafkaProducer(createKafka(config.kafka, NOOP_LOGGER), NOOP_LOGGER);
  const lifecycle = new Lifecycle(NOOP_LOGGER);
  lifecycle.register([pool, redis, producer]);
  try {
    await lifecycle.start();
    await Promise.all([
      assertReachable('Redis', redis.check()).catch((error: unknown) => {
        if (!erases) throw error;
        redisState.isUnavailable = true;
      }),
      assertReachable('PostgreSQL', pool.check(false, erases)),
    ]);
    await work(createStores(config, pool, redis, producer));
  } finally {
    await lifecycle.stop(STOP_TIMEOUT_MS);
  }
}

/** Runs `work` with what PostgreSQL knows, which is asked when it is used. */
export async function withUsers<T>(config: Config, work: (users: PostgresUsers) => Promise<T>): Promise<T> {
  const pool = new PostgresPool({ config: config.postgres, state: ASSUME_AVAILABLE, log: NOOP_LOGGER });
  return work(new PostgresUsers(pool)).finally(() => pool.stop());
}

/** What both topics keep, and for how long. Throws UnavailableError. */
export async function readTopicSettings({ kafka: config }: Config): Promise<TopicSettings> {
  const settings = new TopicSettings({ config, log: NOOP_LOGGER });
  const topics = [config.topic, config.deadLetterTopic].map((name) => ({ name, partitions: [] }));
  const reading = withAdmin(createKafka(config, NOOP_LOGGER), (admin) => settings.check(admin, topics));
  await assertReachable('Kafka', reading);
  return settings;
}

function createStores(config: Config, pool: PostgresPool, redis: RedisConnection, producer: KafkaProducer) {
  const stores = {
    users: new PostgresUsers(pool),
    completed: new RedisUserCache(redis),
    pending: new RedisReservations(redis),
    entries: new RedisReservationReader(redis),
  };
  const erasures = new PostgresErasures(pool);
  const failed = new RedisFailureMarks(redis);
  const metrics = { erased: () => undefined };
  return {
    ...stores,
    redis,
    erasures: new ErasureService({ ...stores, erasures, failed, metrics, log: NOOP_LOGGER }),
    expired: new PostgresExpiredUsers(pool),
    publisher: new RegistrationPublisher({ topic: config.kafka.topic, producer }),
  };
}

/** Throws UnavailableError, with the server's name, when the check fails. */
export async function assertReachable(name: string, check: Promise<unknown>): Promise<void> {
  try {
    await check;
  } catch (error) {
    throw new UnavailableError(`${name} is unavailable`, { cause: error });
  }
}

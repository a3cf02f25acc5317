import type { Config } from './config/config';
import { httpLimits, type HttpLimits } from './http/timeouts-and-limits';
import { LoadShedder } from './http/load-shedder';
import { MetricsServer } from './http/metrics-server';
import { HttpServer } from './http/server';
import { BacklogThrottle } from './kafka/backlog-throttle';
import { createKafka } from './kafka/client';
import { RegistrationConsumer } from './kafka/consumer';
import { ConsumerLag, readConsumerLag } from './kafka/consumer-lag';
import { KafkaDeadLetterTopic } from './kafka/dead-letter-topic';
import { KafkaProducer } from './kafka/producer';
import { SendQueue } from './kafka/send-queue';
import { StallDetector } from './kafka/stall-detector';
import { KafkaTopics } from './kafka/topics';
import { KafkaUserEvents } from './kafka/user-events';
import { hintFor } from './observability/hint';
import { Metrics } from './observability/metrics';
import { PostgresErasures } from './postgres/erasures';
import { Migrations } from './postgres/migrations';
import { PostgresPool } from './postgres/pool';
import { PostgresUsers } from './postgres/users';
import { RedisConnection, REQUEST_TIMEOUT_MS as REDIS_TIMEOUT_MS } from './redis/connection';
import { RedisFailureMarks } from './redis/failure-marks';
import { RedisIdempotencyStore } from './redis/idempotency-store';
import { createRedisRateLimitStore } from './redis/rate-limit-store';
import { RedisReservationReader, RedisReservations } from './redis/reservations';
import { RedisUserCache } from './redis/user-cache';
import { createApp } from './routes/app';
import { Lifecycle } from './runtime/lifecycle';
import { Liveness } from './runtime/liveness';
import { DeadLetterPublisher } from './services/dead-letter-publisher';
import { CHECK_INTERVAL_MS, DependencyMonitor, DependencyStatus } from './services/dependency-monitor';
import { ErasureService } from './services/erasure-service';
import { ErasureSweeper } from './services/erasure-sweeper';
import { HealthService } from './services/health-service';
import { IdempotentRegistrationService } from './services/idempotent-registration-service';
import type { RegistrationQueue } from './services/ports/messaging';
import type { Users } from './services/ports/stores';
import type { Logger } from './services/ports/telemetry';
import { RegistrationService } from './services/registration-service';
import { RegistrationStatusService } from './services/registration-status-service';
import { RegistrationWriter } from './services/registration-writer';
import { UserQueryService } from './services/user-query-service';

/** What a test may replace: ports, and limits it cannot wait for; everything else is what production runs. */
export interface Overrides {
  readonly users?: Users;
  readonly queue?: RegistrationQueue;
  readonly httpLimits?: Partial<HttpLimits>;
  readonly sweepIntervalMs?: number;
}

type Foundation = Awaited<ReturnType<typeof buildFoundation>>;
type Stores = ReturnType<typeof buildStores>;
type Pipeline = ReturnType<typeof buildPipeline>;

/** The service, wired from the settings. Nothing is connected or started here: start and stop it by its lifecycle. */
export async function compose(config: Config, log: Logger, overrides: Overrides = {}) {
  const base = await buildFoundation(config, log, overrides);
  const stores = buildStores(base);
  const pipeline = buildPipeline(base, stores);
  const erasures = new ErasureService({ ...base, ...stores });
  const [intervalMs, memoryDays] = [overrides.sweepIntervalMs, config.kafka.erasureMemoryDays];
  const sweeping = { service: erasures, events: pipeline.events, intervalMs, memoryDays };
  const sweeper = new ErasureSweeper({ ...base, ...stores, ...sweeping });
  const { server, health } = buildHttp(base, stores, pipeline, erasures);
  const { lifecycle, metrics, tracing, shedder, liveness, dependencies } = base;
  const { pool, redis, migrations } = stores;
  const { topics, producers, sendQueue, consumer, consumerLag } = pipeline;
  const metricsServer = new MetricsServer(config.metricsPort, metrics.registry);
  metrics.registerGauges({ ...pipeline, sweeper, liveness, health, dependencies, redis, pool });
  // Started from top to bottom, stopped from bottom to top.
  lifecycle.register([
    metricsServer, // to the end: a stop can be watched, too
    ...(tracing ? [tracing] : []), // the last spans come from what is below
    pool, // everything below may still need its response
    redis,
    topics,
    ...producers,
    sendQueue, // flushed while the producer is still there
    migrations,
    ...(config.consumerEnabled ? [consumer] : []),
    consumerLag,
    sweeper,
    buildMonitor(base, stores, pipeline),
    shedder,
    server, // no request is accepted before, none is left after
  ]);
  return { lifecycle, server, metricsServer, metrics };
}

/** What all parts share. */
async function buildFoundation(config: Config, log: Logger, overrides: Overrides) {
  const status = {
    redis: new DependencyStatus('redis'),
    postgres: new DependencyStatus('postgres'),
    kafka: new DependencyStatus('kafka'),
  };
  return {
    ...{ config, log, overrides, status },
    dependencies: Object.values(status),
    lifecycle: new Lifecycle(log),
    liveness: new Liveness(config.consumerEnabled),
    metrics: new Metrics(config.revision),
    shedder: new LoadShedder(log),
    tracing: config.tracingEnabled
      ? new (await import('./observability/tracing.js')).OtlpTracing(log)
      : undefined,
  };
}

function buildStores({ config, log, status, overrides }: Foundation) {
  const pool = new PostgresPool({ config: config.postgres, state: status.postgres, log });
  const redis = new RedisConnection({ ...config.redis, state: status.redis, log });
  return {
    pool,
    redis,
    migrations: new Migrations({ config: config.postgres, log }),
    users: overrides.users ?? new PostgresUsers(pool),
    erasures: new PostgresErasures(pool),
    entries: new RedisReservationReader(redis),
    pending: new RedisReservations(redis),
    completed: new RedisUserCache(redis),
    failed: new RedisFailureMarks(redis),
    idempotency: new RedisIdempotencyStore(redis),
  };
}

/** From the send queue to the row. */
function buildPipeline(base: Foundation, { users, pending, completed, failed, migrations }: Stores) {
  const { config, log, status, liveness, metrics, shedder, tracing } = base;
  const kafka = createKafka(config.kafka, log);
  const shared = { kafka, config: config.kafka, log };
  const { topic, deadLetterTopic, eventsTopic } = config.kafka;
  // One each, connected when it is used: what is wrong with one topic is not the others' affair.
  const create = (): KafkaProducer => new KafkaProducer(kafka, log);
  const [producer, deadLetterProducer, eventsProducer] = [create(), create(), create()];
  const published = new KafkaDeadLetterTopic(deadLetterProducer, deadLetterTopic);
  const toEvents = { producer: eventsProducer, topic: eventsTopic ?? '', metrics };
  const events = eventsTopic === undefined ? undefined : new KafkaUserEvents(toEvents);
  const deadLetters = new DeadLetterPublisher({ deadLetters: published, failed, pending, metrics, log });
  const sendQueue = new SendQueue({ topic, producer, deadLetters, metrics, tracing, log });
  const sinks = { users, completed, pending, deadLetterPublisher: deadLetters, events };
  const writer = new RegistrationWriter({ ...sinks, metrics, tracing });
  const consumerLag = new ConsumerLag({ read: () => readConsumerLag(kafka, config.kafka), metrics, log });
  const consumer = new RegistrationConsumer({
    ...{ ...shared, writer, liveness, metrics, lag: consumerLag },
    ...{ throttle: new BacklogThrottle(shedder), kafkaStatus: status.kafka, migrations },
    stallDetector: new StallDetector(liveness, consumerLag),
  });
  const onMissing = (): void => consumer.rebuild('a topic is missing');
  const topics = new KafkaTopics({ ...shared, users: [sendQueue, consumer], onMissing });
  const producers = [producer, deadLetterProducer, eventsProducer];
  return { topics, producers, sendQueue, events, consumer, consumerLag };
}

function buildHttp(base: Foundation, stores: Stores, pipeline: Pipeline, erasures: ErasureService) {
  const { config, log, dependencies, lifecycle, liveness, metrics, shedder, tracing, overrides } = base;
  const { redis, users, pending, completed, failed, idempotency: records } = stores;
  const health = new HealthService({ dependencies, lifecycle, liveness });
  const registrations = new RegistrationService({
    ...{ pending, completed, failed, users, metrics, log },
    queue: overrides.queue ?? pipeline.sendQueue,
    deliveryTimeoutMs: config.kafka.deliveryTimeoutMs,
  });
  const requests = { recordRequest: metrics.recordRequest, log };
  const app = createApp({
    ...{ health, registrations, erasures, shedder, tracing, ...requests },
    kafkaCopiesEnd: () => pipeline.topics.settings.copiesEnd(),
    config: config.http,
    rateLimitStore: createRedisRateLimitStore(redis),
    idempotentRegistrations: new IdempotentRegistrationService({
      ...{ records, registrations, completed, users },
      redisTimeoutMs: REDIS_TIMEOUT_MS,
    }),
    registrationStatus: new RegistrationStatusService({ completed, users, pending, failed }),
    userQueries: new UserQueryService({ completed, users, log }),
  });
  const limits = { ...httpLimits(config.http), ...overrides.httpLimits };
  const server = new HttpServer({ port: config.http.port, app, limits, ...requests });
  return { health, server };
}

function buildMonitor({ config, log, status }: Foundation, stores: Stores, { topics }: Pipeline) {
  const { redis, pool, migrations } = stores;
  return new DependencyMonitor({
    ...{ hintFor, log, intervalMs: CHECK_INTERVAL_MS },
    checks: [
      { status: status.redis, check: () => redis.check(), timeoutMs: 1500 },
      {
        status: status.postgres,
        check: () => pool.check(config.consumerEnabled, config.http.adminApiKeys.length > 0),
        timeoutMs: 1500,
        isDue: () => migrations.wasAttempted,
        isUsable: (error) => pool.canRead(error),
      },
      { status: status.kafka, check: () => topics.check(), timeoutMs: 3000 },
    ],
  });
}

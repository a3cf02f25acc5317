import type { Config } from './config/config';
import { BacklogThrottle } from './kafka/backlog-throttle';
import { createKafka } from './kafka/client';
import { RegistrationConsumer } from './kafka/consumer';
import { ConsumerLag, readConsumerLag } from './kafka/consumer-lag';
import { KafkaDeadLetterTopic } from './kafka/dead-letter-topic';
import { KafkaProducer } from './kafka/producer';
import { SendQueue } from './kafka/send-queue';
import { StallDetector } from './kafka/stall-detector';
import { KafkaTopics } from './kafka/topics';
import { Metrics } from './observability/metrics';
import { remedyFor } from './observability/hint';
import { Migrations } from './postgres/migrations';
import { PostgresPool } from './postgres/pool';
import { PostgresUsers } from './postgres/users';
import { RedisCompletedUsers } from './redis/user-cache';
import { REQUEST_TIMEOUT_MS as REDIS_TIMEOUT_MS, RedisConnection } from './redis/connection';
import { RedisFailedRegistrations } from './redis/failure-marks';
import { RedisIdempotencyRecords } from './redis/idempotency-store';
import { createRedisRateLimitStore } from './redis/rate-limit-store';
import { RedisPendingRegistrations } from './redis/reservations';
import { createApp } from './routes/app';
import type { HttpLimits } from './http/limits';
import { MetricsServer } from './http/metrics-server';
import { HttpServer } from './http/server';
import { Lifecycle } from './runtime/lifecycle';
import { Liveness } from './runtime/liveness';
import { LoadShedder } from './http/load-shedder';
import { DeadLetterPublisher } from './services/dead-letter-publisher';
import { DependencyMonitor, DependencyStatus } from './services/dependency-monitor';
import { HealthService } from './services/health-service';
import { IdempotentRegistrationService } from './services/idempotent-registration-service';
import type { Logger, RegistrationQueue, Users } from './services/ports';
import { RegistrationService } from './services/registration-service';
import { RegistrationStatusService } from './services/registration-status-service';
import { RegistrationWriter } from './services/registration-writer';
import { UserQueryService } from './services/user-query-service';

const QUEUE_LIMITS = {
  maxRecords: 10_000,
  maxBytes: 16 * 1024 * 1024,
  batchRecords: 1000,
  batchBytes: 512 * 1024,
};
const CHECK_INTERVAL_MS = 1000;

/** What a test may replace: ports, and limits it cannot wait for; everything else is what production runs. */
export interface Overrides {
  readonly users?: Users;
  readonly queue?: RegistrationQueue;
  readonly httpLimits?: Partial<HttpLimits>;
}

/** The service, wired: start and stop it by its lifecycle. */
export interface Service {
  readonly lifecycle: Lifecycle;
  readonly server: HttpServer;
  readonly metricsServer: MetricsServer;
}

/** Builds everything from the settings; nothing is connected or started here. */
export async function compose(config: Config, log: Logger, overrides: Overrides = {}): Promise<Service> {
  const status = {
    redis: new DependencyStatus('redis'),
    postgres: new DependencyStatus('postgres'),
    kafka: new DependencyStatus('kafka'),
  };

  const metrics = new Metrics(config.revision);
  const tracing = config.tracingEnabled ? await loadTracing(log) : undefined;

  const pool = new PostgresPool({ config: config.postgres, state: status.postgres, log });
  const users = overrides.users ?? new PostgresUsers(pool);

  const redis = new RedisConnection({ url: config.redis.url, state: status.redis, log });
  const pending = new RedisPendingRegistrations(redis);
  const completed = new RedisCompletedUsers(redis);
  const failed = new RedisFailedRegistrations(redis);

  const kafka = createKafka(config.kafka, log);
  const topics = new KafkaTopics({
    kafka,
    config: config.kafka,
    log,
    onMissing: () => consumer.rebuild('a topic is missing'),
  });
  const producer = new KafkaProducer(kafka, log);
  const sendQueue = new SendQueue({
    topic: config.kafka.topic,
    producer,
    limits: QUEUE_LIMITS,
    measurements: metrics,
    tracing,
    log,
  });
  const deadLetters = new KafkaDeadLetterTopic({ topic: config.kafka.deadLetterTopic, producer });

  const queue = overrides.queue ?? sendQueue;
  const { deliveryTimeoutMs } = config.kafka;
  const registrations = new RegistrationService({
    pending,
    completed,
    failed,
    users,
    queue,
    measurements: metrics,
    deliveryTimeoutMs,
    log,
  });
  const idempotentRegistrations = new IdempotentRegistrationService({
    records: new RedisIdempotencyRecords(redis),
    registrations,
    completed,
    users,
    redisTimeoutMs: REDIS_TIMEOUT_MS,
  });
  const userQueries = new UserQueryService({ completed, users, log });
  const registrationStatus = new RegistrationStatusService({ completed, users, pending, failed });
  const deadLetterPublisher = new DeadLetterPublisher({
    deadLetters,
    failed,
    pending,
    measurements: metrics,
    log,
  });
  const writer = new RegistrationWriter({
    users,
    completed,
    pending,
    deadLetterPublisher,
    measurements: metrics,
    tracing,
  });

  const consumerLag = new ConsumerLag({ read: () => readConsumerLag(kafka, config.kafka), log });
  const liveness = new Liveness(config.consumerEnabled);
  const shedder = new LoadShedder(log);
  const throttle = new BacklogThrottle(shedder);
  const consumer = new RegistrationConsumer({
    kafka,
    config: config.kafka,
    writer,
    throttle,
    liveness,
    kafkaStatus: status.kafka,
    measurements: metrics,
    stallDetector: new StallDetector({ liveness, lag: consumerLag }),
    log,
  });
  const monitor = new DependencyMonitor({
    intervalMs: CHECK_INTERVAL_MS,
    log,
    checks: [
      {
        status: status.redis,
        check: () => redis.check(),
        timeoutMs: 1500,
        remedy: (error) => remedyFor('redis', error),
      },
      {
        status: status.postgres,
        check: () => pool.check(),
        timeoutMs: 1500,
        remedy: (error) => remedyFor('postgres', error),
      },
      {
        status: status.kafka,
        check: () => topics.check(),
        timeoutMs: 3000,
        remedy: (error) => remedyFor('kafka', error),
      },
    ],
  });

  const lifecycle = new Lifecycle(log);
  const health = new HealthService({ dependencies: Object.values(status), lifecycle, liveness });
  const { recordRequest } = metrics;
  const app = createApp({
    config: config.http,
    health,
    rateLimitStore: createRedisRateLimitStore(redis),
    recordRequest,
    shedder,
    tracing,
    log,
    registrations,
    idempotentRegistrations,
    registrationStatus,
    userQueries,
  });
  const server = new HttpServer({
    port: config.http.port,
    app,
    recordRequest,
    log,
    limits: {
      // Behind proxies the addresses are theirs, and slow clients are theirs to hold off.
      ...(config.http.trustedProxyHops > 0 && { maxConnectionsPerAddress: Infinity }),
      ...overrides.httpLimits,
    },
  });
  const metricsServer = new MetricsServer(config.metricsPort, metrics.registry);
  metrics.watch({
    sendQueue,
    consumer,
    consumerLag,
    liveness,
    health,
    dependencies: Object.values(status),
    pool,
  });

  // Started from top to bottom, stopped from bottom to top.
  lifecycle.register([
    metricsServer, // to the end: also a stop can be watched
    ...(tracing ? [tracing] : []), // the last spans come from what is below
    pool, // last to go: everything below may still need its answer
    redis,
    topics,
    producer,
    sendQueue, // flushed while the producer is still there
    new Migrations({ config: config.postgres, log }),
    ...(config.consumerEnabled ? [consumer] : []),
    consumerLag,
    monitor,
    shedder,
    server, // no request is let in before, none is left after
  ]);
  return { lifecycle, server, metricsServer };
}

// Imported here, so that without tracing nobody pays for OpenTelemetry's packages.
async function loadTracing(log: Logger) {
  const { createTracerProvider } = await import('./observability/tracer-provider.js');
  const { OtlpTracing } = await import('./observability/tracing.js');
  return new OtlpTracing({ provider: createTracerProvider(log), log });
}

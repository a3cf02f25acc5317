import type { Config } from './config/config';
import { BacklogPace } from './kafka/backlog-pace';
import { readGroupProgress } from './kafka/group-progress';
import { GroupProgressMonitor } from './kafka/group-progress-monitor';
import { createKafka } from './kafka/kafka-client';
import { KafkaDeadLetters } from './kafka/kafka-dead-letters';
import { KafkaTopics } from './kafka/kafka-topics';
import { RecordSender } from './kafka/record-sender';
import { RegistrationConsumer } from './kafka/registration-consumer';
import { SendQueue } from './kafka/send-queue';
import { StallWatchdog } from './kafka/stall-watchdog';
import { Metrics } from './observability/metrics';
import { remedyFor } from './observability/remedy';
import { Migrations } from './postgres/migrations';
import { PostgresPool } from './postgres/postgres-pool';
import { PostgresUsers } from './postgres/postgres-users';
import { RedisCompletedUsers } from './redis/redis-completed-users';
import { REQUEST_TIMEOUT_MS as REDIS_TIMEOUT_MS, RedisConnection } from './redis/redis-connection';
import { RedisFailedRegistrations } from './redis/redis-failed-registrations';
import { RedisIdempotencyRecords } from './redis/redis-idempotency-records';
import { RedisPendingRegistrations } from './redis/reservations';
import { createRedisRequestCounts } from './redis/redis-request-counts';
import { createApp } from './routes/app';
import { createBrokenRequestAnswer } from './routes/broken-request';
import type { HttpLimits } from './routes/http-limits';
import type { MeasureRequest } from './routes/middleware/request-log';
import { MetricsServer } from './routes/metrics-server';
import { createRefusal } from './routes/refusal';
import { WaitingRefusals } from './routes/waiting-refusals';
import { HttpServer } from './routes/server';
import { Lifecycle } from './runtime/lifecycle';
import { Liveness } from './runtime/liveness';
import { LoadShedder } from './runtime/load-shedder';
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
  const sender = new RecordSender(kafka, log);
  const sendQueue = new SendQueue({
    topic: config.kafka.topic,
    sender,
    limits: QUEUE_LIMITS,
    measurements: metrics,
    tracing,
    log,
  });
  const deadLetters = new KafkaDeadLetters({ topic: config.kafka.deadLetterTopic, sender });

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

  const groupProgress = new GroupProgressMonitor({ ask: () => readGroupProgress(kafka, config.kafka), log });
  const liveness = new Liveness(config.consumerEnabled);
  const pace = new BacklogPace();
  const consumer = new RegistrationConsumer({
    kafka,
    config: config.kafka,
    writer,
    pace,
    liveness,
    kafkaStatus: status.kafka,
    measurements: metrics,
    watchdog: new StallWatchdog({ liveness, readProgress: () => groupProgress.read(), log }),
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
  const waiting = new WaitingRefusals();
  const shedder = new LoadShedder({ waiting, log });
  const measureRequest: MeasureRequest = (method, route, answer, seconds) => {
    metrics.answered(method, route, answer, seconds);
    if (!route.startsWith('/api/health')) pace.requested();
  };
  const app = createApp({
    config: config.http,
    health,
    requestCounts: createRedisRequestCounts(redis),
    measureRequest,
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
    admission: shedder,
    refusal: createRefusal(config.http.allowedOrigins, (...refused) => {
      measureRequest(...refused);
      shedder.countRefused();
      pace.refused();
    }),
    waiting,
    answerBroken: createBrokenRequestAnswer(config.http.allowedOrigins, measureRequest),
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
    groupProgress,
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
    sender,
    sendQueue, // flushed while the producer is still there
    new Migrations({ config: config.postgres, log }),
    ...(config.consumerEnabled ? [consumer] : []),
    groupProgress,
    monitor,
    shedder,
    server, // no request is let in before, none is left after
  ]);
  return { lifecycle, server, metricsServer };
}

// Imported here, so that without tracing nobody pays for OpenTelemetry's packages.
async function loadTracing(log: Logger) {
  const { createTracerProvider } = await import('./observability/tracer-provider.js');
  const { OtlpTracing } = await import('./observability/otlp-tracing.js');
  return new OtlpTracing({ provider: createTracerProvider(log), log });
}

import { readFileSync } from 'node:fs';
import { envSchema, SECRETS, VARIABLE_NAMES, type EnvValues } from './env-schema';

/** The service's settings, typed and nested. Made once, by an entry point. */
export type Config = ReturnType<typeof toConfig>;

/** Allows its holder to read users, or to erase them. Only the digest is known here. */
export interface ApiKey {
  /** Shown in logs. */
  readonly name: string;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
}

type Env = Readonly<Record<string, string | undefined>>;

/** One message that names every bad variable and never shows a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings from environment variables (and the files that NAME_FILE and *_CA_FILE name).
 * Throws ConfigError listing every bad variable at once.
 */
export function loadConfig(env: Env): Config {
  const problems: string[] = [];
  const values = validate(withSecretFiles(trimmed(env), problems), problems);
  const caFiles = {
    db: readOptional('DB_SSL_CA_FILE', values.DB_SSL_CA_FILE, problems),
    kafka: readOptional('KAFKA_SSL_CA_FILE', values.KAFKA_SSL_CA_FILE, problems),
  };
  if (problems.length > 0) throw new ConfigError(`Bad configuration: ${problems.join('; ')}`);
  return Object.freeze(toConfig(values, caFiles));
}

/** Settings that are fine on a laptop and a risk in production; one sentence each. */
export function productionWarnings(config: Config): string[] {
  if (config.env !== 'production') return [];
  const local = /\b(localhost|127\.0\.0\.1)\b/;
  return [
    config.postgres.password === 'postgres' && 'DB_PASSWORD is the default password',
    config.kafka.sasl?.mechanism === 'plain' &&
      config.kafka.ssl === false &&
      'KAFKA_SASL_MECHANISM is plain and KAFKA_SSL is off: KAFKA_SASL_PASSWORD crosses the network readably',
    local.test(config.postgres.host) && 'DB_HOST is this machine',
    local.test(config.redis.url) && 'REDIS_URL points at this machine',
    local.test(config.kafka.brokers.join()) && 'KAFKA_BROKERS points at this machine',
    local.test(config.http.allowedOrigins.join()) && 'FRONTEND_URL allows an origin on localhost',
    config.http.apiKeys.length === 0 &&
      'API_KEYS is not set: GET /api/users and GET /api/users/:email are open to everyone who reaches the service',
  ].filter((warning) => warning !== false);
}

// What editors, `echo` and `kubectl create secret` leave around a value. A password may begin or end with a blank.
function trimmed(env: Env): Env {
  const trim = (name: string, value = ''): string =>
    name.endsWith('PASSWORD') ? value.replace(/[\r\n]+$/, '') : value.trim();
  // An empty variable is an unset one: compose files and ConfigMaps write NAME= for "not set".
  const set = Object.entries(env).filter(([, value]) => value);
  return Object.fromEntries(set.map(([name, value]) => [name, trim(name, value)]));
}

function withSecretFiles(env: Env, problems: string[]): Env {
  const values: Record<string, string | undefined> = { ...env };
  for (const name of VARIABLE_NAMES) {
    const path = env[`${name}_FILE`];
    if (!path) continue;
    if (!(SECRETS as readonly string[]).includes(name))
      problems.push(`${name}_FILE is not read: only secrets may be in files`);
    // Ambiguous: after a rotation either may be stale.
    else if (env[name]) problems.push(`${name} and ${name}_FILE are both set: keep one`);
    else values[name] = readOptional(`${name}_FILE`, path, problems)?.trim() || undefined;
  }
  return values;
}

function readOptional(name: string, path: string | undefined, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    // A variable may be empty, for "not set"; a file that is named is meant to hold something.
    if (text.trim() === '') problems.push(`${name} names an empty file`);
    return text;
  } catch (error) {
    problems.push(`${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
    return undefined;
  }
}

function validate(env: Env, problems: string[]): EnvValues {
  const options = { abortEarly: false, stripUnknown: true, errors: { wrap: { label: false as const } } };
  const result = envSchema.validate(env, options);
  problems.push(...(result.error?.details.map(({ message }) => message) ?? []));
  const values = result.value as EnvValues;
  // Here, where both defaults are in place; 0 is any free port.
  if (values.PORT === values.METRICS_PORT && values.PORT !== 0)
    problems.push('METRICS_PORT must be another port than PORT');
  if (values.ERASURE_MEMORY_DAYS < values.KAFKA_RETENTION_DAYS)
    problems.push('ERASURE_MEMORY_DAYS must not be less than KAFKA_RETENTION_DAYS');
  if (collides(values.KAFKA_EVENTS_TOPIC, values.KAFKA_TOPIC, deadLetterTopicOf(values.KAFKA_TOPIC)))
    problems.push('KAFKA_EVENTS_TOPIC must be another topic than KAFKA_TOPIC and its dead letters');
  if (haveSameKey(values.API_KEYS, values.ADMIN_API_KEYS))
    problems.push('ADMIN_API_KEYS must not hold a key of API_KEYS');
  return values;
}

function deadLetterTopicOf(topic: string): string {
  return `${topic}.dlq`;
}

/** Kafka does not tell a dot from an underscore either when it creates a topic. */
function collides(name: string | undefined, ...others: string[]): boolean {
  const plain = (text: string): string => text.replaceAll('.', '_');
  return name !== undefined && others.some((other) => plain(other) === plain(name));
}

function haveSameKey(...lists: (string | undefined)[]): boolean {
  const [readers = [], admins = []] = lists.map((list) => toApiKeys(list));
  return readers.some(({ digest }) => admins.some((admin) => admin.digest.equals(digest)));
}

function toApiKeys(text: string | undefined): readonly ApiKey[] {
  return (text?.split(',') ?? []).map((entry) => {
    const [name = '', digest = ''] = entry.split(':');
    return { name, digest: Buffer.from(digest, 'hex') };
  });
}

function toConfig(values: EnvValues, caFiles: { db: string | undefined; kafka: string | undefined }) {
  return {
    env: values.NODE_ENV,
    logLevel: values.LOG_LEVEL,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
    metricsPort: values.METRICS_PORT,
    consumerEnabled: values.CONSUMER_ENABLED,
    revision: values.REVISION ?? 'unknown',
    tracingEnabled:
      values.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined &&
      values.OTEL_TRACES_EXPORTER === 'otlp' &&
      !values.OTEL_SDK_DISABLED,
    http: {
      port: values.PORT,
      trustedProxyHops: values.TRUST_PROXY,
      allowedOrigins: values.FRONTEND_URL.split(','),
      apiKeys: toApiKeys(values.API_KEYS),
      adminApiKeys: toApiKeys(values.ADMIN_API_KEYS),
      rateLimit: { max: values.RATE_LIMIT_MAX, windowMs: values.RATE_LIMIT_WINDOW_MS },
    },
    postgres: {
      host: values.DB_HOST,
      port: values.DB_PORT,
      database: values.DB_NAME,
      user: values.DB_USER,
      password: values.DB_PASSWORD,
      ssl: values.DB_SSL ? { rejectUnauthorized: true, ...(caFiles.db && { ca: caFiles.db }) } : false,
      poolMax: values.DB_POOL_MAX,
      migrateOnStart: values.MIGRATE_ON_START,
      direct: { host: values.DB_DIRECT_HOST, port: values.DB_DIRECT_PORT },
    },
    redis: { url: values.REDIS_URL, isCluster: values.REDIS_CLUSTER },
    kafka: {
      brokers: values.KAFKA_BROKERS.split(','),
      clientId: values.KAFKA_CLIENT_ID,
      groupId: values.KAFKA_GROUP_ID,
      topic: values.KAFKA_TOPIC,
      deadLetterTopic: deadLetterTopicOf(values.KAFKA_TOPIC),
      eventsTopic: values.KAFKA_EVENTS_TOPIC,
      partitions: values.KAFKA_PARTITIONS,
      replicationFactor: values.KAFKA_REPLICATION_FACTOR,
      retentionDays: values.KAFKA_RETENTION_DAYS,
      erasureMemoryDays: values.ERASURE_MEMORY_DAYS,
      deliveryTimeoutMs: values.KAFKA_DELIVERY_TIMEOUT_MS,
      ssl: values.KAFKA_SSL && (caFiles.kafka === undefined || { ca: caFiles.kafka }),
      sasl: values.KAFKA_SASL_MECHANISM && {
        mechanism: values.KAFKA_SASL_MECHANISM,
        username: values.KAFKA_SASL_USERNAME ?? '',
        password: values.KAFKA_SASL_PASSWORD ?? '',
      },
    },
  } as const;
}

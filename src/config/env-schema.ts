import { isIPv6 } from 'node:net';
import Joi from 'joi';

const port = (value: number): Joi.NumberSchema => Joi.number().port().default(value);
const flag = (value: boolean): Joi.BooleanSchema =>
  Joi.boolean().truthy('1', 'yes', 'on').falsy('0', 'no', 'off').default(value);
const count = (min: number, max: number, value: number): Joi.NumberSchema =>
  Joi.number().integer().min(min).max(max).default(value);

const oneOf = <Value extends string>(...values: Value[]): Joi.StringSchema<Value> =>
  Joi.string<Value>()
    .insensitive()
    .valid(...values);

/** A variable without a default; its type says so. */
const optional = <Value>(schema: Joi.StringSchema<Value>): Joi.StringSchema<Value | undefined> =>
  schema.optional();

/** Brings a value into the one spelling that the service uses; undefined when it is none of `expected`. */
type Reader = (text: string) => string | undefined;

const readAs = (read: Reader, expected: string): Joi.StringSchema =>
  Joi.string()
    .custom((text: string, helpers) => read(text) ?? helpers.error('text.unreadable'))
    .messages({ 'text.unreadable': `{{#label}} must be ${expected}` });

/** Comma-separated; repeated items count once. */
const listOf =
  (readItem: Reader): Reader =>
  (text) => {
    const items = text.split(',').map((item) => readItem(item.trim()));
    return items.includes(undefined) ? undefined : [...new Set(items)].join(',');
  };

const list = (readItem: Reader, expected: string): Joi.StringSchema =>
  readAs(listOf(readItem), `a comma-separated list of ${expected}`);

/** As a browser sends it in `Origin`, which never has a path or a wildcard. */
const origin: Reader = (text) => {
  if (!URL.canParse(text)) return undefined;
  const { href, origin: sent } = new URL(text);
  return /^https?:[^*]+$/.test(sent) && href === `${sent}/` ? sent : undefined;
};

// Of an empty text: the variable with the key was empty, and nobody can present it.
const EMPTY_DIGEST = /:e3b0c44298fc1c149afbf4c8996fb924/;
const apiKey: Reader = (text) => {
  const lower = text.replace(/:.*/, (digest) => digest.toLowerCase());
  return /^[\w.-]{1,64}:[0-9a-f]{64}$/.test(lower) && !EMPTY_DIGEST.test(lower) ? lower : undefined;
};

const apiKeys = list(apiKey, 'name:sha256 (64 hexadecimal digits, of a key that is not empty)');

// IPv6 with or without brackets; a path is the folder of a Unix socket.
const host: Reader = (text) => {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  return isIPv6(bare) || /^(\/.*|[^\s:/@,"'[\]]+)$/.test(bare) ? bare : undefined;
};

const HOST = 'a host name or address alone, without scheme, user and port';

const broker: Reader = (text) => {
  const [, digits] = /^[^\s:/@"']+:(\d{1,5})$/.exec(text) ?? [];
  return Number(digits) >= 1 && Number(digits) <= 65_535 ? text : undefined;
};

// As ioredis reads it, without showing the password. It takes options from behind a ? before those that it is given, a
// path that is no number for database 0, and REDISS: for no TLS.
const redisUrl: Reader = (text) => {
  try {
    const { protocol, username, password, hostname, pathname, search, hash } = new URL(text);
    decodeURIComponent(username + password);
    const isPlain = /^rediss?:$/.test(protocol) && /^\/?\d*$/.test(pathname) && search + hash === '';
    return isPlain && /^[^,]+$/.test(hostname) ? text.replace(/^\w+/, protocol.slice(0, -1)) : undefined;
  } catch {
    return undefined;
  }
};

// One user and password for all: that of the nodes, too, that only other nodes name. A cluster has no database but 0.
const redisNodes: Reader = (text) => {
  const nodes = listOf(redisUrl)(text);
  const urls = nodes?.split(',').map((node) => new URL(node)) ?? [];
  const logins = urls.map(({ protocol, username, password }) => [protocol, username, password].join());
  return new Set(logins).size === 1 && urls.every(({ pathname }) => !/[1-9]/.test(pathname))
    ? nodes
    : undefined;
};

const topic = readAs(
  (text) => /^(?!\.{1,2}$)[\w.-]{1,200}$/.exec(text)?.[0],
  '1 to 200 letters, digits, dots, dashes or underscores, other than . and ..',
);

// Without the other variable it has no effect: its operator would rely on TLS, or a login, that is not there.
const onlyWith = (other: string, is: Joi.SchemaLike, needed: string, then: Joi.Schema) =>
  optional(Joi.string())
    .when(other, { is, then, otherwise: Joi.forbidden() })
    .messages({ 'any.unknown': `{{#label}} needs ${needed}` });

/** Variables that hold a secret: each may also be given as NAME_FILE, the path of a file that holds the value. */
export const SECRETS = [
  'API_KEYS',
  'ADMIN_API_KEYS',
  'DB_PASSWORD',
  'REDIS_URL',
  'KAFKA_SASL_PASSWORD',
] as const;

/** Every environment variable the service reads, with its rule and default. `.env.example` lists the same. */
const VARIABLES = {
  NODE_ENV: oneOf('development', 'production', 'test').default('development'),
  PORT: port(8000),
  METRICS_PORT: port(9464),
  LOG_LEVEL: oneOf('error', 'warn', 'info', 'debug').default('info'),
  FRONTEND_URL: list(origin, 'origins such as https://app.example.com, without path and wildcard').default(
    'http://localhost:5173',
  ),
  API_KEYS: optional(apiKeys),
  ADMIN_API_KEYS: optional(apiKeys),
  TRUST_PROXY: count(0, 10, 0),
  RATE_LIMIT_MAX: count(1, 1_000_000_000, 100),
  RATE_LIMIT_WINDOW_MS: count(1000, 86_400_000, 900_000),

  DB_HOST: readAs(host, HOST).default('localhost'),
  DB_PORT: port(5432).invalid(0),
  DB_DIRECT_HOST: readAs(host, HOST).default(Joi.ref('DB_HOST')),
  DB_DIRECT_PORT: Joi.number().port().invalid(0).default(Joi.ref('DB_PORT')),
  DB_NAME: Joi.string().default('userdb'),
  DB_USER: Joi.string().default('postgres'),
  DB_PASSWORD: Joi.string().default('postgres'),
  DB_SSL: flag(false),
  DB_SSL_CA_FILE: onlyWith('DB_SSL', true, 'DB_SSL=true', Joi.optional()),
  DB_POOL_MAX: count(1, 500, 20),
  MIGRATE_ON_START: flag(true),

  REDIS_URL: Joi.string()
    .when('REDIS_CLUSTER', {
      is: true,
      then: readAs(
        redisNodes,
        'like redis://user:password@host:6379, of one node or several with commas between them, with one scheme, user and password and without a database, if REDIS_CLUSTER=true',
      ),
      otherwise: readAs(
        redisUrl,
        'like rediss://user:password@host:6379/0 (TLS) or redis://host:6379, percent-encoded, without options after a ?; several need REDIS_CLUSTER=true',
      ),
    })
    .default('redis://localhost:6379'),
  REDIS_CLUSTER: flag(false),

  KAFKA_BROKERS: list(broker, 'host:port').default('localhost:9092'),
  KAFKA_CLIENT_ID: Joi.string().default('user-registration-backend'),
  KAFKA_GROUP_ID: Joi.string().default('user-registration-consumer'),
  KAFKA_TOPIC: topic.default('user-registration'),
  KAFKA_EVENTS_TOPIC: optional(topic),
  KAFKA_PARTITIONS: count(1, 1000, 3),
  KAFKA_REPLICATION_FACTOR: count(-1, 10, -1).invalid(0),
  KAFKA_RETENTION_DAYS: count(1, 3650, 30),
  ERASURE_MEMORY_DAYS: count(1, 3650, 90),
  // Well below HTTP_LIMITS.responseTimeoutMs, which would reset the connection before the 503.
  KAFKA_DELIVERY_TIMEOUT_MS: count(100, 50_000, 5000),
  KAFKA_SSL: flag(false),
  KAFKA_SSL_CA_FILE: onlyWith('KAFKA_SSL', true, 'KAFKA_SSL=true', Joi.optional()),
  KAFKA_SASL_MECHANISM: optional(oneOf('plain', 'scram-sha-256', 'scram-sha-512')),
  KAFKA_SASL_USERNAME: onlyWith('KAFKA_SASL_MECHANISM', Joi.exist(), 'KAFKA_SASL_MECHANISM', Joi.required()),
  KAFKA_SASL_PASSWORD: onlyWith('KAFKA_SASL_MECHANISM', Joi.exist(), 'KAFKA_SASL_MECHANISM', Joi.required()),
  CONSUMER_ENABLED: flag(true),

  // Whether to load the OpenTelemetry packages, which read the endpoint and the other OTEL_ variables themselves.
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(Joi.string().uri({ scheme: ['http', 'https'] }))
    .pattern(/\/v1\/traces\/?$/, { invert: true })
    .messages({ 'string.pattern.invert.base': '{{#label}} must end before /v1/traces, which is appended' }),
  OTEL_SDK_DISABLED: flag(false),
  OTEL_TRACES_EXPORTER: oneOf('otlp', 'none').default('otlp'),
  // JSON is sent for both: every OTLP/HTTP receiver has to accept it.
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf('http/json', 'http/protobuf').default('http/json'),

  REVISION: optional(Joi.string()),

  SHUTDOWN_TIMEOUT_MS: count(1000, 600_000, 25_000),
};

export const envSchema = Joi.object(VARIABLES);
export const VARIABLE_NAMES: readonly string[] = Object.keys(VARIABLES);

/** The variables after validation; those marked as optional may be undefined. */
export type EnvValues = {
  readonly [Name in keyof typeof VARIABLES]: (typeof VARIABLES)[Name] extends Joi.AnySchema<infer Value>
    ? Value
    : never;
};

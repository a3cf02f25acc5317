import Joi from 'joi';

const port = (value: number): Joi.NumberSchema => Joi.number().port().default(value);
const flag = (value: boolean): Joi.BooleanSchema => Joi.boolean().default(value);
const count = (min: number, max: number, value: number): Joi.NumberSchema =>
  Joi.number().integer().min(min).max(max).default(value);

const oneOf = <Value extends string>(...values: Value[]): Joi.StringSchema<Value> =>
  Joi.string<Value>().valid(...values);

/** A variable without a default; its type says so. */
const optional = <Value>(schema: Joi.StringSchema<Value>): Joi.StringSchema<Value | undefined> =>
  schema.optional();

/** Comma-separated text; each item must match `item`, else the message `expected` is reported. */
const list = (item: RegExp, expected: string): Joi.StringSchema =>
  Joi.string()
    .custom((text: string, helpers) => {
      const items = text.split(',').map((entry) => entry.trim());
      return items.every((entry) => item.test(entry)) ? text : helpers.error('list.item');
    })
    .messages({ 'list.item': `{{#label}} must be a comma-separated list of ${expected}` });

// As the client reads it: unlike Joi it accepts no port of 99999 and no bare % in the password, and its own error shows
// the password.
function isReadable(url: string): boolean {
  try {
    const { username, password } = new URL(url);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

// Without the other variable it has no effect: its operator would rely on TLS, or a login, that is not there.
const onlyWith = (other: string, is: Joi.SchemaLike, needed: string, then: Joi.Schema) =>
  optional(Joi.string())
    .when(other, { is, then, otherwise: Joi.forbidden() })
    .messages({ 'any.unknown': `{{#label}} needs ${needed}` });

/** Variables that hold a secret: each may also be given as NAME_FILE, the path of a file that holds the value. */
export const SECRETS = ['API_KEYS', 'DB_PASSWORD', 'REDIS_URL', 'KAFKA_SASL_PASSWORD'] as const;

/** Every environment variable the service reads, with its rule and default. `.env.example` lists the same. */
const VARIABLES = {
  NODE_ENV: oneOf('development', 'production', 'test').default('development'),
  PORT: port(8000),
  METRICS_PORT: port(9464),
  LOG_LEVEL: oneOf('error', 'warn', 'info', 'debug').default('info'),
  FRONTEND_URL: list(/^https?:\/\/[^/\s?#]+\/?$/, 'origins such as https://app.example.com').default(
    'http://localhost:5173',
  ),
  API_KEYS: optional(list(/^[\w.-]{1,64}:[0-9a-f]{64}$/, 'name:sha256 (64 hexadecimal digits, lower case)')),
  TRUST_PROXY: count(0, 10, 0),
  RATE_LIMIT_MAX: count(1, 1_000_000_000, 100),
  RATE_LIMIT_WINDOW_MS: count(1000, 86_400_000, 900_000),

  DB_HOST: Joi.string().default('localhost'),
  DB_PORT: port(5432),
  DB_NAME: Joi.string().default('userdb'),
  DB_USER: Joi.string().default('postgres'),
  DB_PASSWORD: Joi.string().default('postgres'),
  DB_SSL: flag(false),
  DB_SSL_CA_FILE: onlyWith('DB_SSL', true, 'DB_SSL=true', Joi.optional()),
  DB_POOL_MAX: count(1, 500, 20),
  MIGRATE_ON_START: flag(true),

  REDIS_URL: Joi.string()
    .uri({ scheme: ['redis', 'rediss'] })
    .custom((text: string, helpers) => (isReadable(text) ? text : helpers.error('string.uriCustomScheme')))
    .default('redis://localhost:6379')
    .messages({
      'string.uriCustomScheme': '{{#label}} must look like redis://user:password@host:port, percent-encoded',
    }),

  KAFKA_BROKERS: list(/^[^\s,:/]+:\d{1,5}$/, 'host:port').default('localhost:9092'),
  KAFKA_CLIENT_ID: Joi.string().default('user-registration-backend'),
  KAFKA_GROUP_ID: Joi.string().default('user-registration-consumer'),
  KAFKA_TOPIC: Joi.string()
    .pattern(/^[\w.-]{1,200}$/)
    .default('user-registration')
    .messages({
      'string.pattern.base': '{{#label}} must be 1 to 200 letters, digits, dots, dashes or underscores',
    }),
  KAFKA_PARTITIONS: count(1, 1000, 3),
  KAFKA_REPLICATION_FACTOR: count(-1, 10, -1).invalid(0),
  // Well below HTTP_LIMITS.responseTimeoutMs, which would reset the connection before the 503.
  KAFKA_DELIVERY_TIMEOUT_MS: count(100, 50_000, 5000),
  KAFKA_SSL: flag(false),
  KAFKA_SSL_CA_FILE: onlyWith('KAFKA_SSL', true, 'KAFKA_SSL=true', Joi.optional()),
  KAFKA_SASL_MECHANISM: optional(oneOf('plain', 'scram-sha-256', 'scram-sha-512')),
  KAFKA_SASL_USERNAME: onlyWith('KAFKA_SASL_MECHANISM', Joi.exist(), 'KAFKA_SASL_MECHANISM', Joi.required()),
  KAFKA_SASL_PASSWORD: onlyWith('KAFKA_SASL_MECHANISM', Joi.exist(), 'KAFKA_SASL_MECHANISM', Joi.required()),
  CONSUMER_ENABLED: flag(true),

  // Whether to load the OpenTelemetry packages, which read the endpoint and the other OTEL_ variables themselves.
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(Joi.string().uri({ scheme: ['http', 'https'] })),
  OTEL_SDK_DISABLED: flag(false),
  OTEL_TRACES_EXPORTER: oneOf('otlp', 'none').default('otlp'),
  // JSON is sent for both: every OTLP/HTTP receiver has to accept it.
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf('http/json', 'http/protobuf').default('http/json'),

  REVISION: optional(Joi.string()),

  SHUTDOWN_TIMEOUT_MS: count(1000, 600_000, 25_000),
};

export const envSchema = Joi.object(VARIABLES);

/** The variables after validation; those marked as optional may be undefined. */
export type EnvValues = {
  readonly [Name in keyof typeof VARIABLES]: (typeof VARIABLES)[Name] extends Joi.AnySchema<infer Value>
    ? Value
    : never;
};

import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import dotenv from 'dotenv';
import { ConfigError, loadConfig, productionWarnings, type Config } from '../../../src/config/config';
import { envSchema, SECRETS } from '../../../src/config/env-schema';
import { HTTP_LIMITS } from '../../../src/http/timeouts-and-limits';

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), 'config-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A new file that holds this text. */
function fileWith(text: string): string {
  const file = path.join(folder, randomUUID());
  writeFileSync(file, text);
  return file;
}

const EXAMPLE = dotenv.parse(readFileSync('.env.example'));

const allowedOrigins = ({ http }: Config): readonly string[] => http.allowedOrigins;

describe('loadConfig', () => {
  it('needs nothing: the README’s values are the defaults', () => {
    expect(loadConfig({})).toMatchObject({
      ...{ env: 'development', consumerEnabled: true, shutdownTimeoutMs: 25_000 },
      http: {
        port: 8000,
        allowedOrigins: ['http://localhost:5173'],
        rateLimit: { max: 100, windowMs: 900_000 },
      },
      postgres: {
        ...{ host: 'localhost', port: 5432, database: 'userdb', user: 'postgres', password: 'postgres' },
        ...{ poolMax: 20, ssl: false, migrateOnStart: true },
      },
      redis: { url: 'redis://localhost:6379' },
      kafka: {
        ...{ brokers: ['localhost:9092'], ssl: false, sasl: undefined, deliveryTimeoutMs: 5000 },
        ...{ topic: 'user-registration', deadLetterTopic: 'user-registration.dlq' },
        ...{ groupId: 'user-registration-consumer', partitions: 3, replicationFactor: -1 },
      },
    });
  });

  it('reads .env.example to the very defaults', () => {
    expect(loadConfig(EXAMPLE)).toEqual(loadConfig({}));
  });

  it('lists every bad variable in one message and shows no value', () => {
    const bad = {
      PORT: '80000',
      NODE_ENV: 'prod',
      DB_PORT: 'five',
      KAFKA_BROKERS: 'broker-without-port',
      FRONTEND_URL: 'https://a.example.com/path',
      REDIS_URL: 'http://secret@cache',
      KAFKA_REPLICATION_FACTOR: '0',
      KAFKA_SASL_MECHANISM: 'plain',
      CONSUMER_ENABLED: 'maybe',
      API_KEYS: 'crm:secret',
      DB_SSL_CA_FILE: '/nowhere/ca.pem',
    };

    const load = (): unknown => loadConfig(bad);

    for (const name of [
      ...Object.keys(bad).filter((each) => each !== 'KAFKA_SASL_MECHANISM'),
      'KAFKA_SASL_USERNAME',
    ]) {
      expect(load).toThrow(new RegExp(`\\b${name}\\b`));
    }
    expect(load).not.toThrow('secret');
  });

  it('reads lists, trims their items and drops a trailing slash', () => {
    const config = loadConfig({
      FRONTEND_URL: 'https://a.example.com/, https://b.example.com',
      KAFKA_BROKERS: 'one:9092, two:9092',
    });

    expect(config.http.allowedOrigins).toEqual(['https://a.example.com', 'https://b.example.com']);
    expect(config.kafka.brokers).toEqual(['one:9092', 'two:9092']);
  });

  it('reads API keys as names and digests', () => {
    const { apiKeys } = loadConfig({
      API_KEYS: `crm:${'00'.repeat(32)}, back-office:${'ff'.repeat(32)}`,
    }).http;

    expect(apiKeys).toEqual([
      { name: 'crm', digest: Buffer.alloc(32, 0) },
      { name: 'back-office', digest: Buffer.alloc(32, 255) },
    ]);
  });

  it('rejects a key that may erase and only read, and a memory that is shorter than Kafka’s', () => {
    const key = `x:${'c0'.repeat(32)}`;

    const load = () =>
      loadConfig({
        API_KEYS: `crm:${'c1'.repeat(32)},${key}`,
        ADMIN_API_KEYS: key.replace('x', 'y'),
        KAFKA_RETENTION_DAYS: '91',
      });

    expect(load).toThrow(
      new ConfigError(
        'Bad configuration: ERASURE_MEMORY_DAYS must not be less than KAFKA_RETENTION_DAYS; ADMIN_API_KEYS must not hold a key of API_KEYS',
      ),
    );
    const fine = { KAFKA_RETENTION_DAYS: '91', ERASURE_MEMORY_DAYS: '91', ADMIN_API_KEYS: key };
    expect(loadConfig(fine)).toMatchObject({ kafka: { erasureMemoryDays: 91 } });
    expect(loadConfig({}).kafka.erasureMemoryDays).toBe(90);
  });

  it.each(SECRETS)('reads %s from the file that %s_FILE names', (name) => {
    const value = name.endsWith('API_KEYS') ? `crm:${'c0'.repeat(32)}` : 'redis://:s3cret@cache:6379';

    const config = loadConfig({
      [`${name}_FILE`]: fileWith(`${value}\n`),
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'user',
      ...(name !== 'KAFKA_SASL_PASSWORD' && { KAFKA_SASL_PASSWORD: 'other' }),
    });

    if (name === 'API_KEYS') expect(config.http.apiKeys).toHaveLength(1);
    else if (name === 'ADMIN_API_KEYS') expect(config.http.adminApiKeys).toHaveLength(1);
    else expect(JSON.stringify(config)).toContain(`${value}"`);
  });

  it('reports a secret file that cannot be read', () => {
    expect(() => loadConfig({ DB_PASSWORD_FILE: '/nowhere/secret' })).toThrow(
      'DB_PASSWORD_FILE cannot be read (ENOENT)',
    );
  });

  it.each([...SECRETS.map((name) => `${name}_FILE`), 'DB_SSL_CA_FILE', 'KAFKA_SSL_CA_FILE'])(
    'reports that the file that %s names is empty',
    (name) => {
      expect(() => loadConfig({ DB_SSL: 'true', KAFKA_SSL: 'true', [name]: fileWith(' \n') })).toThrow(
        new ConfigError(`Bad configuration: ${name} names an empty file`),
      );
    },
  );

  it.each(SECRETS)('reports %s beside %s_FILE, whichever was meant; an empty one counts as none', (name) => {
    const value = {
      API_KEYS: `crm:${'c0'.repeat(32)}`,
      ADMIN_API_KEYS: `dpo:${'c0'.repeat(32)}`,
      DB_PASSWORD: 's3cret',
      REDIS_URL: 'redis://:s3cret@cache',
      KAFKA_SASL_PASSWORD: 's3cret',
    }[name];
    const file = fileWith(value);
    const sasl = name === 'KAFKA_SASL_PASSWORD' && {
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'user',
    };
    const load = (direct: string, fromFile: string) => (): unknown =>
      loadConfig({ ...sasl, [name]: direct, [`${name}_FILE`]: fromFile });

    expect(load(value, file)).toThrow(
      new ConfigError(`Bad configuration: ${name} and ${name}_FILE are both set: keep one`),
    );
    expect(load('', file)).not.toThrow();
    expect(load(value, '')).not.toThrow();
  });

  it.each([
    ['DB_SSL_CA_FILE', 'DB_SSL=true', { DB_SSL: 'false' }],
    ['KAFKA_SSL_CA_FILE', 'KAFKA_SSL=true', { KAFKA_SSL: 'false' }],
    ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_MECHANISM', { KAFKA_SASL_MECHANISM: '' }],
    ['KAFKA_SASL_PASSWORD', 'KAFKA_SASL_MECHANISM', { KAFKA_SASL_MECHANISM: '' }],
  ])('reports %s, which would do nothing, without %s', (name, needed, off) => {
    const value = fileWith('certificate');
    const problem = new ConfigError(`Bad configuration: ${name} needs ${needed}`);

    expect(() => loadConfig({ [name]: value })).toThrow(problem);
    expect(() => loadConfig({ [name]: value, ...off })).toThrow(problem);
  });

  it.each([
    ['.', false],
    ['..', false],
    ['a/b', false],
    ['...', true],
    ['.a', true],
  ])('takes the topic %s: %s', (topic, isFine) => {
    const load = (): unknown => loadConfig({ KAFKA_TOPIC: topic });

    if (isFine) expect(load).not.toThrow();
    else expect(load).toThrow(/KAFKA_TOPIC must be .* other than \. and \.\./);
  });

  it.each([
    ['users', true],
    ['registrations', false],
    ['registrations.dlq', false],
    ['registrations_dlq', false],
  ])('takes the events topic %s beside registrations: %s', (topic, isFine) => {
    const load = (): unknown => loadConfig({ KAFKA_TOPIC: 'registrations', KAFKA_EVENTS_TOPIC: topic });

    if (isFine) expect(load).not.toThrow();
    else expect(load).toThrow('KAFKA_EVENTS_TOPIC must be another topic than KAFKA_TOPIC');
  });

  it.each(['0', '3651', '-1', '1.5'])('reports a retention of %s days', (days) => {
    expect(() => loadConfig({ KAFKA_RETENTION_DAYS: days })).toThrow('KAFKA_RETENTION_DAYS');
  });

  it('lets a request wait for Kafka only so that its response is sent before its connection is closed', () => {
    const longest = HTTP_LIMITS.responseTimeoutMs - 10_000;
    const load = (ms: number) => (): unknown => loadConfig({ KAFKA_DELIVERY_TIMEOUT_MS: String(ms) });

    expect(load(longest)).not.toThrow();
    expect(load(longest + 1)).toThrow('KAFKA_DELIVERY_TIMEOUT_MS');
  });

  it.each([
    ...['redis://:s3cret@cache:99999', 'redis://:s3cret%@cache', 'redis://:s3cret@', 'cache:6379'],
    // What the client would take for database 0, or for options that come before the service's own.
    ...[
      'redis://:s3cret@cache/userdb',
      'redis://:s3cret@cache/0/1',
      'redis://:s3cret@cache/-1',
      'redis:///1',
    ],
    ...['redis://:s3cret@cache?db=2', 'redis://:s3cret@cache/?family=6', 'redis://:s3cret@cache/0#1'],
    ...['redis+sentinel://:s3cret@cache', 'unix:///run/s3cret.sock', 'redis:s3cret'],
  ])('reports a REDIS_URL that the client would not read as it was meant, without showing it: %s', (url) => {
    const load = (): unknown => loadConfig({ REDIS_URL: url });

    expect(load).toThrow(/^Bad configuration: REDIS_URL must /);
    expect(load).not.toThrow('s3cret');
  });

  it.each([
    ['several nodes without REDIS_CLUSTER', 'false', 'redis://:s3cret@a:6379,redis://:s3cret@b:6379'],
    ['the same without ports', 'false', 'redis://:s3cret@a,redis://:s3cret@b'],
    ['several hosts in one URL', 'false', 'redis://:s3cret@a,b:6379'],
    ['a malformed node', 'true', 'redis://:s3cret@a:6379,redis://:s3cret@b:99999'],
    ['a node without scheme', 'true', 'redis://:s3cret@a:6379,b:6379'],
    ['an empty node', 'true', 'redis://:s3cret@a:6379,'],
    ['a comma in a password', 'true', 'redis://:s3cret,w@a:6379'],
    ['another password', 'true', 'redis://:s3cret@a:6379,redis://:s3cret2@b:6379'],
    ['another user', 'true', 'redis://:s3cret@a:6379,redis://u:s3cret@b:6379'],
    ['TLS for one alone', 'true', 'redis://:s3cret@a:6379,rediss://:s3cret@b:6379'],
    ['a database', 'true', 'redis://:s3cret@a:6379/1'],
  ])('reports %s, without showing it', (_what, REDIS_CLUSTER, REDIS_URL) => {
    const load = (): unknown => loadConfig({ REDIS_CLUSTER, REDIS_URL });

    expect(load).toThrow(/^Bad configuration: REDIS_URL must .*several.* REDIS_CLUSTER=true$/);
    expect(load).not.toThrow('s3cret');
  });

  it.each([
    ['redis://a:6379', 'redis://a:6379'],
    ['redis://u:p@a:6379, redis://u:p@b', 'redis://u:p@a:6379,redis://u:p@b'],
    ['REDISS://:p@A:1/,rediss://:p@A:1/,rediss://:p@b:1/0', 'rediss://:p@A:1/,rediss://:p@b:1/0'],
    ['redis://:p%2Cw@a:1,redis://:p%2Cw@b:1', 'redis://:p%2Cw@a:1,redis://:p%2Cw@b:1'],
  ])('reads the nodes of a Redis Cluster: %s', (REDIS_URL, url) => {
    expect(loadConfig({ REDIS_CLUSTER: 'true', REDIS_URL }).redis).toEqual({ url, isCluster: true });
  });

  it.each<[keyof NodeJS.ProcessEnv, string, (config: Config) => unknown, unknown]>([
    ['FRONTEND_URL', 'https://App.Example.com', allowedOrigins, ['https://app.example.com']],
    ['FRONTEND_URL', 'https://app.example.com:443/', allowedOrigins, ['https://app.example.com']],
    ['FRONTEND_URL', 'HTTP://app.example.com:80', allowedOrigins, ['http://app.example.com']],
    ['FRONTEND_URL', 'http://app.example.com:443', allowedOrigins, ['http://app.example.com:443']],
    ['FRONTEND_URL', 'https://münchen.example', allowedOrigins, ['https://xn--mnchen-3ya.example']],
    ['FRONTEND_URL', 'http://[0:0:0:0:0:0:0:1]:5173', allowedOrigins, ['http://[::1]:5173']],
    ['FRONTEND_URL', 'https://a.example,https://A.example/', allowedOrigins, ['https://a.example']],
    ['REDIS_URL', 'REDISS://Cache:6379', ({ redis }) => redis.url, 'rediss://Cache:6379'],
    ['REDIS_URL', ' redis://:p%20w@cache/15\n', ({ redis }) => redis.url, 'redis://:p%20w@cache/15'],
    ['KAFKA_BROKERS', 'a:9092 ,b:9092, a:9092', ({ kafka }) => kafka.brokers, ['a:9092', 'b:9092']],
    ['DB_HOST', 'db.internal\r\n', ({ postgres }) => postgres.host, 'db.internal'],
    ['DB_HOST', '[::1]', ({ postgres }) => postgres.host, '::1'],
    ['DB_HOST', '/var/run/postgresql', ({ postgres }) => postgres.host, '/var/run/postgresql'],
    ['DB_PASSWORD', ' p w \n', ({ postgres }) => postgres.password, ' p w '],
    ['DB_PORT', ' 6432 ', ({ postgres }) => postgres.port, 6432],
    ['DB_PORT', '6432', ({ postgres }) => postgres.direct, { host: 'localhost', port: 6432 }],
    ['DB_DIRECT_HOST', 'db', ({ postgres }) => postgres.direct, { host: 'db', port: 5432 }],
    ['DB_DIRECT_PORT', '6432', ({ postgres }) => postgres.direct, { host: 'localhost', port: 6432 }],
    ['MIGRATE_ON_START', 'No', ({ postgres }) => postgres.migrateOnStart, false],
    ['CONSUMER_ENABLED', '0', ({ consumerEnabled }) => consumerEnabled, false],
    ['DB_SSL', 'YES', ({ postgres }) => postgres.ssl, { rejectUnauthorized: true }],
    ['KAFKA_SSL', 'on', ({ kafka }) => kafka.ssl, true],
    ['LOG_LEVEL', 'WARN', ({ logLevel }) => logLevel, 'warn'],
    ['NODE_ENV', 'Production', ({ env }) => env, 'production'],
    ['API_KEYS', `crm:${'C0'.repeat(32)}`, ({ http }) => http.apiKeys[0]?.digest, Buffer.alloc(32, 0xc0)],
  ])('reads what is plainly meant: %s=%j', (name, value, read, expected) => {
    expect(read(loadConfig({ [name]: value }))).toEqual(expected);
  });

  it('reads the mechanism as Kafka writes it', () => {
    const sasl = { KAFKA_SASL_USERNAME: 'user', KAFKA_SASL_PASSWORD: 'pass\n' };

    expect(loadConfig({ ...sasl, KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' }).kafka.sasl).toEqual({
      ...{ mechanism: 'scram-sha-512', username: 'user', password: 'pass' },
    });
  });

  it.each([
    ['FRONTEND_URL', 'https://*.vercel.app'],
    ['FRONTEND_URL', '*'],
    ['FRONTEND_URL', 'null'],
    ['FRONTEND_URL', 'app.example.com'],
    ['FRONTEND_URL', 'https://app.example.com/shop'],
    ['FRONTEND_URL', 'https://app.example.com?x'],
    ['FRONTEND_URL', 'https://user@app.example.com'],
    ['FRONTEND_URL', 'https://a.example,,https://b.example'],
    ['FRONTEND_URL', 'capacitor://localhost'],
    ['API_KEYS', `crm:${createHash('sha256').update('').digest('hex')}`],
    ['API_KEYS', ' '],
    ['METRICS_PORT', '8000'],
    ['PORT', '9464'],
    ['DB_PORT', '0'],
    ['DB_HOST', 'postgres://db'],
    ['DB_HOST', 'db:5432'],
    ['DB_HOST', 'user@db'],
    ['DB_HOST', 'one,two'],
    ['DB_HOST', '"db"'],
    ['KAFKA_BROKERS', 'PLAINTEXT://broker:9092'],
    ['KAFKA_BROKERS', 'broker:0'],
    ['KAFKA_BROKERS', 'broker:99999'],
    ['KAFKA_BROKERS', 'one:9092 two:9092'],
    ['KAFKA_GROUP_ID', ' '],
    ['KAFKA_CLIENT_ID', '\n'],
    ['TRUST_PROXY', '10.0.0.0/8'],
    ['DB_SSL', 'require'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318/v1/traces'],
    ['DB_USER_FILE', '/run/secrets/user'],
    ['KAFKA_SASL_USERNAME_FILE', '/run/secrets/user'],
  ])('reports what could have no effect: %s=%j', (name, value) => {
    const reported = name === 'PORT' ? 'METRICS_PORT' : name;

    expect(() => loadConfig({ [name]: value })).toThrow(
      new RegExp(`^Bad configuration: ${reported} (must|is|contains) [^;]*$`),
    );
  });

  it('sets up TLS and SASL from their variables', () => {
    const ca = fileWith('certificate');

    const config = loadConfig({
      DB_SSL: 'true',
      DB_SSL_CA_FILE: ca,
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA_FILE: ca,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'user',
      KAFKA_SASL_PASSWORD: 'pass',
    });

    expect(config.postgres.ssl).toEqual({ rejectUnauthorized: true, ca: 'certificate' });
    expect(config.kafka.ssl).toEqual({ ca: 'certificate' });
    expect(config.kafka.sasl).toEqual({ mechanism: 'scram-sha-512', username: 'user', password: 'pass' });
  });
});

describe('tracing', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' };

  it.each([
    [true, {}],
    [true, { OTEL_SDK_DISABLED: 'false', OTEL_TRACES_EXPORTER: 'otlp' }],
    [true, { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }],
    [false, { OTEL_SDK_DISABLED: 'TRUE' }],
    [false, { OTEL_TRACES_EXPORTER: 'none' }],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  ])('is %s with %p', (expected, variables) => {
    expect(loadConfig({ ...endpoint, ...variables }).tracingEnabled).toBe(expected);
  });

  it.each([{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, { OTEL_TRACES_EXPORTER: 'zipkin' }])(
    'rejects what it could not do: %p',
    (variables) => {
      expect(() => loadConfig({ ...endpoint, ...variables })).toThrow(Object.keys(variables)[0]);
    },
  );
});

describe('.env.example', () => {
  it('lists exactly the variables of the schema', () => {
    const known = Object.keys((envSchema.describe() as { keys: object }).keys);

    expect(Object.keys(EXAMPLE).sort()).toEqual(known.sort());
  });
});

describe('productionWarnings', () => {
  it('says nothing in development', () => {
    expect(productionWarnings(loadConfig({}))).toEqual([]);
  });

  it('names each default password and local address that is still in use', () => {
    const warnings = productionWarnings(loadConfig({ NODE_ENV: 'production' })).join('\n');

    for (const name of [
      'DB_PASSWORD',
      'DB_HOST',
      'REDIS_URL',
      'KAFKA_BROKERS',
      'FRONTEND_URL',
      'GET /api/users',
    ]) {
      expect(warnings).toContain(name);
    }
  });

  it('only warns of the open reads when everything else is set, and of nothing with API keys', () => {
    const env = {
      NODE_ENV: 'production',
      DB_PASSWORD: 'x',
      DB_HOST: 'db',
      REDIS_URL: 'redis://cache:6379',
      KAFKA_BROKERS: 'kafka:9092',
      FRONTEND_URL: 'https://app.example.com',
    };

    expect(productionWarnings(loadConfig(env))).toHaveLength(1);
    expect(productionWarnings(loadConfig({ ...env, API_KEYS: `crm:${'c0'.repeat(32)}` }))).toEqual([]);
  });

  it.each([
    ['plain', 'false', 1],
    ['plain', 'true', 0],
    ['scram-sha-512', 'false', 0],
  ])('warns of a Kafka password in plain text: %s, TLS %s', (mechanism, ssl, count) => {
    const warnings = productionWarnings(
      loadConfig({
        NODE_ENV: 'production',
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_USERNAME: 'user',
        KAFKA_SASL_PASSWORD: 'pass',
        KAFKA_SSL: ssl,
      }),
    );

    expect(warnings.filter((warning) => warning.includes('KAFKA_SASL_MECHANISM'))).toHaveLength(count);
  });
});

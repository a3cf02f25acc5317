import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { chooseFreePort } from '../../dev/local-stack/ports';
import { buildRegistration } from '../support/builders';
import type { HealthReport } from '../../src/services/health-service';
import { makeCertificates, saslSslSettings, type Certificates } from '../support/certificates';
import { eventually } from '../support/eventually';
import { postJson, send } from '../support/raw-http';
import { DOCS } from '../support/readme';
import { runEntryPoint, ServiceProcess } from '../support/service-process';
import { sql, type Env } from '../support/test-servers';
import { startTlsFront } from '../support/tls-front';
import { expectStored, register } from '../support/traffic';

const PASSWORD = 'only for this test';
const WRONG = 'not the password at all';

let stack: LocalStack;
let certificates: Certificates;
let strangers: Certificates;
let redisFront: Awaited<ReturnType<typeof startTlsFront>>;
let secured: Env;

beforeAll(async () => {
  [certificates, strangers] = await Promise.all([makeCertificates(), makeCertificates()]);
  const kafkaPort = await chooseFreePort();
  stack = await startLocalStack({
    services: ['postgres', 'redis', 'kafka'],
    postgres: {
      settings: [
        'ssl=on',
        `ssl_cert_file=${certificates.certificateFile}`,
        `ssl_key_file=${certificates.keyFile}`,
      ],
    },
    kafka: {
      saslSsl: { port: kafkaPort, settings: saslSslSettings(certificates, PASSWORD) },
      scramUsers: [`SCRAM-SHA-512=[name=service,password=${PASSWORD}]`],
    },
    report: () => undefined,
  });
  redisFront = await startTlsFront(certificates, stack.servers.redis?.port ?? 0);
  const redis = new Redis(stack.env['REDIS_URL'] ?? '');
  const rights = /`ACL SETUSER service on >password (.+)`/.exec(DOCS)?.[1]?.split(' ') ?? [];
  await redis.call('ACL', 'SETUSER', 'service', 'on', `>${PASSWORD}`, ...rights);
  await redis.call('ACL', 'SETUSER', 'default', 'off');
  redis.disconnect();
  await sql(stack.env, `CREATE ROLE service LOGIN SUPERUSER PASSWORD '${PASSWORD}'`);
  await runEntryPoint('src/migrate.ts', stack.env);
  secured = {
    DB_HOST: 'localhost',
    DB_PORT: stack.env['DB_PORT'] ?? '',
    DB_NAME: stack.env['DB_NAME'] ?? '',
    DB_USER: 'service',
    DB_PASSWORD: PASSWORD,
    DB_SSL: 'true',
    DB_SSL_CA_FILE: certificates.caFile,
    REDIS_URL: redisUrl('localhost', PASSWORD),
    // Redis' own authority: the URL has no place for it.
    NODE_EXTRA_CA_CERTS: certificates.caFile,
    KAFKA_BROKERS: `localhost:${kafkaPort}`,
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA_FILE: certificates.caFile,
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: 'service',
    KAFKA_SASL_PASSWORD: PASSWORD,
  };
});

afterAll(async () => {
  redisFront.stop();
  await stack.kill();
});

const redisUrl = (host: string, password: string): string =>
  `rediss://service:${encodeURIComponent(password)}@${host}:${redisFront.port}/0`;

/** Topics and group of its own, so that one test does not wait for another's. */
const ofItsOwn = (): Env => ({
  KAFKA_TOPIC: `registrations-${randomUUID()}`,
  KAFKA_GROUP_ID: `group-${randomUUID()}`,
});

describe.each(['scram-sha-512', 'plain'])('TLS and passwords everywhere, SASL %s', (mechanism) => {
  it('lead from a registration to its row', async () => {
    await sql(stack.env, 'TRUNCATE users');
    const service = await ServiceProcess.start({
      ...secured,
      ...ofItsOwn(),
      KAFKA_SASL_MECHANISM: mechanism,
    });

    const attempts = await Promise.all(Array.from({ length: 5 }, () => register(service.url)));
    await eventually(() => expectStored(stack.env, attempts));
    const email = attempts[0]?.registration.email ?? '';
    const key = { 'Idempotency-Key': randomUUID() };
    const again = buildRegistration();
    const answers = [
      await postJson(`${service.url}/api/users`, again, key),
      await postJson(`${service.url}/api/users`, again, key),
      await send(`${service.url}/api/users/${email}`),
      await send(`${service.url}/api/users/${email}/status`),
      await postJson(`${service.url}/api/users`, { ...attempts[0]?.registration, firstName: 'Other' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 200, 200, 409]);
    expect(answers[1]?.headers['idempotency-replayed']).toBe('true');
    const connections = await sql(
      stack.env,
      `SELECT DISTINCT ssl, usename FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'user-registration-backend'`,
    );

    expect(connections).toEqual([{ ssl: true, usename: 'service' }]);
    expect(service.output).not.toContain(PASSWORD);
    await service.stop();
  });
});

describe('a server or a password that is wrong', () => {
  const rejected: [string, string, () => Env, RegExp][] = [
    [
      'postgres',
      'a certificate of an unknown authority',
      () => ({ DB_SSL_CA_FILE: strangers.caFile }),
      /DB_SSL_CA_FILE/,
    ],
    ['postgres', 'a certificate of another host', () => ({ DB_HOST: '127.0.0.1' }), /DB_HOST/],
    ['postgres', 'a wrong password', () => ({ DB_PASSWORD: WRONG }), /DB_PASSWORD/],
    [
      'redis',
      'a certificate of an unknown authority',
      () => ({ NODE_EXTRA_CA_CERTS: '' }),
      /NODE_EXTRA_CA_CERTS/,
    ],
    [
      'redis',
      'a certificate of another host',
      () => ({ REDIS_URL: redisUrl('127.0.0.1', PASSWORD) }),
      /REDIS_URL/,
    ],
    [
      'redis',
      'no TLS where it is needed',
      () => ({ REDIS_URL: redisUrl('localhost', PASSWORD).replace('rediss:', 'redis:') }),
      /begin with rediss:/,
    ],
    [
      'redis',
      'TLS where there is none',
      () => ({ REDIS_URL: (stack.env['REDIS_URL'] ?? '').replace('redis:', 'rediss:') }),
      /begin with redis:/,
    ],
    ['redis', 'a wrong password', () => ({ REDIS_URL: redisUrl('localhost', WRONG) }), /REDIS_URL/],
    [
      'kafka',
      'a certificate of an unknown authority',
      () => ({ KAFKA_SSL_CA_FILE: strangers.caFile }),
      /KAFKA_SSL_CA_FILE/,
    ],
    [
      'kafka',
      'a certificate of another host',
      () => ({ KAFKA_BROKERS: (secured['KAFKA_BROKERS'] ?? '').replace('localhost', '127.0.0.1') }),
      /KAFKA_BROKERS/,
    ],
    ['kafka', 'a wrong password, SCRAM', () => ({ KAFKA_SASL_PASSWORD: WRONG }), /KAFKA_SASL_PASSWORD/],
    [
      'kafka',
      'a wrong password, PLAIN',
      () => ({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: WRONG }),
      /KAFKA_SASL_PASSWORD/,
    ],
  ];

  it.each(rejected)(
    '%s: %s is rejected, and one line says what to do',
    async (dependency, _what, broken, hint) => {
      const service = ServiceProcess.launch({ ...secured, ...ofItsOwn(), ...broken() });

      const line = await eventually(() => {
        expect(service.output).toContain('"listening"');
        const found = service.output
          .split('\n')
          .find((each) => each.includes('waiting for dependency') && each.includes(`"${dependency}"`));
        expect(found).toBeDefined();
        return found;
      });

      // The others are there: it is this one alone that keeps the process unready.
      await eventually(async () => {
        const { services } = JSON.parse((await send(`${service.url}/api/health`)).body) as HealthReport;
        const unhealthy = Object.keys(services).filter((name) => services[name] === 'unhealthy');
        expect(unhealthy).toEqual([dependency]);
      });
      const ready = await send(`${service.url}/api/health/ready`);
      service.signal('SIGKILL');
      await service.exited;
      expect(ready.status).toBe(503);
      expect(JSON.parse(line ?? '')).toMatchObject({
        level: 'warn',
        dependency,
        hint: expect.stringMatching(hint) as string,
      });
      for (const secret of [PASSWORD, WRONG, encodeURIComponent(WRONG)])
        expect(service.output).not.toContain(secret);
    },
  );
});

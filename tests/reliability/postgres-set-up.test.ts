import type { Server } from 'node:net';
import { buildRegistration } from '../support/builders';
import { createTables, withDatabaseIn, withOwnRole } from '../support/database-roles';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import { deadLettersIn, drained } from '../support/kafka-tools';
import { send } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, type Env } from '../support/test-servers';
import { startStrictPooler } from '../support/strict-pooler';
import { countByStatus, expectStored, register, type Attempt } from '../support/traffic';

/** How soon the background check has to notice, at most. */
const NOTICED_MS = 8000;

const registerMany = (service: TestService, count: number): Promise<Attempt[]> =>
  Promise.all(Array.from({ length: count }, () => register(service.url)));

const untilPostgresIs = (service: TestService, state: 'healthy' | 'unhealthy'): Promise<void> =>
  eventually(async () => {
    const { body } = await service.http.get('/api/health');
    expect(body).toMatchObject({ services: { postgres: state } });
  }, NOTICED_MS);

const lastHint = (service: TestService): unknown =>
  service.log.lines.findLast(({ dependency, hint }) => dependency === 'postgres' && hint !== undefined)?.[
    'hint'
  ];

const untilWriteFails = (service: TestService, sqlState: string): Promise<void> =>
  eventually(() =>
    expect(service.log.lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: 'batch write failed, retrying',
        error: expect.objectContaining({ message: expect.stringContaining(sqlState) as string }) as object,
      }),
    ),
  );

describe('a pooler that rejects start-up parameters', () => {
  let server: Server;
  afterAll(() => server.close());

  it('is no hindrance: registrations are stored and users are listed', async () => {
    const env = await isolatedServers();
    const pooler = await startStrictPooler(env['DB_HOST'] ?? '', Number(env['DB_PORT']));
    server = pooler.server;
    const service = await startService({ ...env, DB_HOST: '127.0.0.1', DB_PORT: String(pooler.port) });

    const attempts = await registerMany(service, 3);

    expect(countByStatus(attempts)).toEqual({ 201: 3 });
    await drained(env);
    await expectStored(env, attempts);
    await service.http.get('/api/users').expect(200);
    await service.stop();
  });
});

describe('a right that is taken away while the service runs', () => {
  let env: Env;
  let service: TestService;

  beforeAll(async () => {
    env = await isolatedServers();
    service = await startService(await withOwnRole(env));
  });
  afterAll(() => service.stop());

  it.each([
    ['REVOKE INSERT ON users FROM $role', 'GRANT INSERT ON users TO $role', /GRANT SELECT, INSERT ON users/],
    [
      'ALTER ROLE $role SET default_transaction_read_only = on',
      'ALTER ROLE $role RESET default_transaction_read_only',
      /read-only/,
    ],
  ])(
    '%s: unhealthy, reads go on, and what is accepted is stored when it is given back',
    async (take, give, hint) => {
      const role = service.env['DB_USER'] ?? '';
      const stored = await register(service.url);
      await drained(env);

      await sql(env, take.replace('$role', role));
      await untilPostgresIs(service, 'unhealthy');
      // Idle connections of before may still have the right.
      const accepted = await registerMany(service, 20);

      expect(lastHint(service)).toMatch(hint);
      expect(countByStatus(accepted)).toEqual({ 201: 20 });
      await service.http.get('/api/users').expect(200);
      await service.http.get(`/api/users/${stored.registration.email}`).expect(200);
      await service.http.get('/api/health/ready').expect(200);
      await sql(env, give.replace('$role', role));
      await untilPostgresIs(service, 'healthy');
      await drained(env);
      const known = await Promise.all(
        [stored, ...accepted].map(({ registration }) => register(service.url, registration)),
      );
      expect(countByStatus(known)).toEqual({ 409: 21 });
      expect(await deadLettersIn(env)).toEqual([]);
    },
  );
});

describe('a database in another encoding', () => {
  it.each(['LATIN1', 'SQL_ASCII'])(
    '%s: not ready, with a hint; no request fails because of another’s data',
    async (encoding) => {
      const env = await withDatabaseIn(encoding, await isolatedServers());
      await createTables(env);
      const service = await startUnready(env);
      await eventually(() => expect(lastHint(service)).toMatch(/UTF8/));
      await eventually(async () => expect((await register(service.url)).answer.status).toBe(201));

      const emails = Array.from({ length: 100 }, () => buildRegistration().email);
      const attempts = await Promise.all(
        ['漢@example.com', ...emails].map((email) =>
          register(service.url, buildRegistration({ email, firstName: '漢字' })),
        ),
      );
      const reads = await Promise.all(
        ['漢@example.com', ...emails].map((email) =>
          send(`${service.url}/api/users/${encodeURIComponent(email)}`),
        ),
      );

      expect(countByStatus(attempts)).toEqual({ 201: 101 });
      expect(reads.filter(({ status }) => status === 500)).toEqual([]);
      await service.http.get('/api/health/ready').expect(503);
      if (encoding === 'LATIN1') await untilWriteFails(service, '22P05');
      expect(await deadLettersIn(env)).toEqual([]);
      await service.stop();
    },
  );
});

describe('a set-up that rejects every registration', () => {
  it.each([
    {
      what: 'ids that are used up',
      breakIt: `SELECT setval('users_id_seq', 2147483647)`,
      mendIt: 'ALTER TABLE users ALTER COLUMN id TYPE bigint; ALTER SEQUENCE users_id_seq AS bigint',
      sqlState: '2200H',
      constraint: '',
      hint: /bigint/,
    },
    {
      what: 'a new column that must not be NULL',
      breakIt: 'ALTER TABLE users ADD COLUMN tenant text NOT NULL',
      mendIt: 'ALTER TABLE users DROP COLUMN tenant',
      sqlState: '23502',
      constraint: 'tenant',
      hint: /tenant/,
    },
  ])('$what: they wait, with an alert, and are rows when it is mended', async (set) => {
    const service = await startService();
    await sql(service.env, set.breakIt);
    await untilPostgresIs(service, 'unhealthy');

    const attempts = await registerMany(service, 10);
    await untilWriteFails(service, set.sqlState);
    const { body: metrics } = await send(`${service.metricsUrl}/metrics`);
    await sql(service.env, set.mendIt);
    await untilPostgresIs(service, 'healthy');
    await drained(service.env);

    expect(countByStatus(attempts)).toEqual({ 201: 10 });
    expect(lastHint(service)).toMatch(set.hint);
    expect(metrics).toContain(
      `registration_rejected_writes_total{sqlstate="${set.sqlState}",constraint="${set.constraint}"}`,
    );
    await expectStored(service.env, attempts);
    expect(await deadLettersIn(service.env)).toEqual([]);
    await service.stop();
  });
});

describe('a second unique index', () => {
  it('makes one dead letter of the registration that it rejects; the others are rows', async () => {
    const service = await startService({ KAFKA_PARTITIONS: '1' });
    await sql(
      service.env,
      `CREATE UNIQUE INDEX no_dots ON users ((replace(split_part(email, '@', 1), '.', '')), (split_part(email, '@', 2)))`,
    );
    const emails = ['john.doe@example.com', 'johndoe@example.com'];
    const attempts: Attempt[] = [];
    for (const email of emails) attempts.push(await register(service.url, buildRegistration({ email })));

    attempts.push(...(await registerMany(service, 30)));
    await drained(service.env);

    expect(countByStatus(attempts)).toEqual({ 201: 32 });
    expect((await deadLettersIn(service.env)).map(({ key }) => key)).toEqual(['johndoe@example.com']);
    await expectStored(
      service.env,
      attempts.filter(({ registration }) => registration.email !== 'johndoe@example.com'),
    );
    await service.stop();
  });
});

describe('the first start on an empty database', () => {
  it('is as a restart: PostgreSQL is not taken for unavailable, and no error is logged', async () => {
    const env = { ...(await withDatabaseIn('UTF8', await isolatedServers())), MIGRATE_ON_START: 'true' };

    const service = await ServiceProcess.start(env);
    const attempt = await register(service.url);
    await drained(env);

    await expectStored(env, [attempt]);
    expect(await service.stop()).toBe(0);
    const lines = service.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
      .filter(({ level, dependency }) => level === 'error' || dependency === 'postgres');
    expect(lines).toEqual([expect.objectContaining({ level: 'info', message: 'dependency is healthy' })]);
  });
});

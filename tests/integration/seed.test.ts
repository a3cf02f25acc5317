import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findDevServers } from '../../dev/dev-settings';
import { DataClaim } from '../../dev/local-stack/data-claim';
import { sampleUser } from '../../dev/seed/sample-user';
import { buildRegistration } from '../support/builders';
import { startService } from '../support/harness';
import { runEntryPoint } from '../support/service-process';
import { insertUser, isolatedServers, sql, type Env } from '../support/test-servers';
import * as tools from '../support/tool-run';

// Jest cannot load the migrations' package, which is an ES module; the tests' databases have the schema.
const seed = (env: Env, line?: string) => tools.seed({ MIGRATE_ON_START: 'false', ...env }, line);

const rows = (env: Env) => sql(env, 'SELECT first_name, email FROM users ORDER BY id');

describe('seed', () => {
  it('adds users that the API serves', async () => {
    const service = await startService({ CONSUMER_ENABLED: 'false' });

    expect(await seed(service.env, '--users 2500')).toMatchObject({ code: 0, stdout: '2500 users added\n' });

    const { firstName, lastName, email, gender, sex, occupation } = sampleUser(2500);
    const { body } = await service.http.get('/api/users?limit=1').expect(200);
    expect(body).toMatchObject({
      count: 1,
      data: [{ first_name: firstName, last_name: lastName, email, gender, sex, occupation }],
    });
    expect(await rows(service.env)).toHaveLength(2500);
  });

  it('adds none when it is repeated, and with a larger count only what is missing', async () => {
    const env = await isolatedServers();
    await seed(env, '--users 30');
    const before = await rows(env);

    expect((await seed(env, '--users 30')).stdout).toBe('0 users added, 30 were there\n');
    expect(await rows(env)).toEqual(before);
    expect((await seed(env, '--users 40')).stdout).toBe('10 users added, 30 were there\n');
    expect(await rows(env)).toHaveLength(40);
  });

  it('changes no user who is there', async () => {
    const env = await isolatedServers();
    const { email } = sampleUser(3);
    await insertUser(env, buildRegistration({ firstName: 'First', email }));

    expect((await seed(env, '--users 5')).stdout).toBe('4 users added, 1 were there\n');

    expect(await rows(env)).toContainEqual({ first_name: 'First', email });
    expect(await rows(env)).toHaveLength(5);
  });

  it('shows a bar, to its end', async () => {
    const { stderr } = await seed(await isolatedServers(), '--users 10');

    expect(stderr).toBe(`[${' '.repeat(30)}] 0 of 10 users\n` + `[${'='.repeat(30)}] 10 of 10 users\n`);
  });

  it('says in one line why it cannot', async () => {
    const env = await isolatedServers();

    expect(await seed({})).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Cannot seed: start npm run dev in this checkout first, or set DB_HOST\n',
    });
    expect(await seed({ ...env, DB_PORT: '1' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot seed: PostgreSQL is unavailable: .*ECONNREFUSED.*\n$/),
    });
    expect(await seed({ ...env, NODE_ENV: 'production' })).toMatchObject({
      code: 1,
      stderr: 'Cannot seed: NODE_ENV is production: made-up users do not belong there\n',
    });
    expect(await rows(env)).toEqual([]);
  });

  it('is an entry point of its own, which makes the schema in a new database', async () => {
    const env = await isolatedServers();
    await sql(env, 'DROP TABLE users, erasures, pgmigrations');

    expect(
      await runEntryPoint('dev/with-dev-servers.ts', env, ['dev/seed/run-seed.ts', '--users', '2']),
    ).toMatchObject({
      code: 0,
      stdout: '2 users added\n',
    });
  });
});

describe('findDevServers', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'claim-'));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  it('finds the servers of a run while it goes on', async () => {
    const claim = await DataClaim.take(dataDir);
    claim.add({ pid: process.pid, env: { DB_HOST: '127.0.0.1', DB_PORT: '1234' } });
    claim.add({ pid: process.pid, env: { REDIS_URL: 'redis://127.0.0.1:1235' } });

    expect(await findDevServers({ REDIS_URL: 'redis://elsewhere' }, dataDir)).toEqual({
      DB_HOST: '127.0.0.1',
      DB_PORT: '1234',
    });
    expect(await findDevServers({ DB_HOST: 'elsewhere' }, dataDir)).toEqual({
      REDIS_URL: 'redis://127.0.0.1:1235',
    });
    await claim.release();
    expect(await findDevServers({}, dataDir)).toEqual({});
  });
});

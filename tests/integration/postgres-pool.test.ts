import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { UnavailableError } from '../../src/domain/errors';
import { connectionOptions, PostgresPool } from '../../src/postgres/postgres-pool';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, sql, type Env } from '../support/test-servers';

let env: Env;
let pool: PostgresPool;

beforeEach(async () => {
  env = await isolatedServers();
  const config = loadConfig({ ...env, DB_POOL_MAX: '1' }).postgres;
  pool = new PostgresPool({ config, state: { isAway: false }, log: new RecordingLogger() });
});

afterEach(() => pool.stop());

describe('PostgresPool', () => {
  it('opens no more connections than it may, and answers its check while all are busy', async () => {
    const holder = new Client(connectionOptions(loadConfig(env).postgres));
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(1)');
    const queries = [1, 2].map(() => pool.query('SELECT pg_advisory_lock_shared(1)', []));

    await pool.check();

    expect(pool.usage).toEqual({ used: 1, idle: 0, waiting: 1, max: 1 });
    await holder.end();
    await Promise.all(queries);
    expect(pool.usage).toEqual({ used: 0, idle: 1, waiting: 0, max: 1 });
  });

  it('has the server give a statement up after 10 s', async () => {
    expect(await pool.query('SHOW statement_timeout', [])).toEqual([{ statement_timeout: '10s' }]);
  });

  it('passes a statement that is wrong in itself on as it is: a bug, no outage', async () => {
    await expect(pool.query('SELEC 1', [])).rejects.toMatchObject({ code: '42601' });
  });

  it('survives a connection that the server ends while idle', async () => {
    await Promise.all([pool.check(), pool.query('SELECT 1', [])]);
    await sql(
      env,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );

    const first = await Promise.allSettled([pool.check(), pool.query('SELECT 1', [])]);

    for (const end of first) {
      if (end.status === 'rejected') expect(end.reason).toBeInstanceOf(UnavailableError);
    }
    await Promise.all([pool.check(), pool.query('SELECT 1', [])]);
  });
});

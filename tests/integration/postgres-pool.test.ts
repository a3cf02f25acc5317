import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { RejectedError, UnavailableError } from '../../src/domain/errors';
import { connectionOptions, PostgresPool } from '../../src/postgres/pool';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, sql, type Env } from '../support/test-servers';

let env: Env;
let pool: PostgresPool;

beforeEach(async () => {
  env = await isolatedServers();
  const config = loadConfig({ ...env, DB_POOL_MAX: '1' }).postgres;
  pool = new PostgresPool({ config, state: { isUnavailable: false }, log: new RecordingLogger() });
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

  it('has the server give up what a transaction waits for, and nothing of it is left in the session', async () => {
    const limits = `SELECT name, setting FROM pg_settings WHERE name IN
      ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') ORDER BY name`;
    const asked = () => pool.transaction(9000, (run) => run<{ setting: string }>(limits));

    expect((await asked()).map(({ setting }) => setting)).toEqual(['9000', '4500', '9000']);
    expect((await pool.query<{ setting: string }>(limits, [])).map(({ setting }) => setting)).toEqual([
      '0',
      '0',
      '0',
    ]);
  });

  it('commits a transaction, and closes the connection of one that failed', async () => {
    await pool.transaction(1000, (run) => run('CREATE TABLE kept AS SELECT 1'));
    const failing = pool.transaction(1000, async (run) => {
      await run('CREATE TABLE dropped AS SELECT 1');
      await run('SELECT pg_sleep(10)');
    });

    await expect(failing).rejects.toMatchObject({ isTimeout: true });

    expect(pool.usage.idle).toBe(0);
    const [tables] = await pool.query(
      `SELECT to_regclass('kept') AS kept, to_regclass('dropped') AS dropped`,
      [],
    );
    expect(tables).toEqual({ kept: 'kept', dropped: null });
  });

  it('gives a transaction up soon when the server is silent', async () => {
    const [backend] = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', []);
    if (backend === undefined) throw new Error('no backend');
    const asking = pool.transaction(200, async (run) => {
      process.kill(backend.pid, 'SIGSTOP');
      await run('SELECT 1');
    });

    await expect(asking).rejects.toThrow('PostgreSQL is silent');

    process.kill(backend.pid, 'SIGCONT');
  });

  it('survives a connection that is lost between two statements of a transaction', async () => {
    const losing = pool.transaction(1000, async (run) => {
      const [own] = await run<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await sql(env, 'SELECT pg_terminate_backend($1)', [own?.pid]);
      await run('SELECT 1');
    });

    await expect(losing).rejects.toThrow(UnavailableError);
    await pool.check();
  });

  it('names what a statement was rejected for', async () => {
    await expect(pool.query('SELEC 1', [])).rejects.toMatchObject({
      constructor: RejectedError,
      sqlState: '42601',
    });
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

import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { UnavailableError, UnsuitableServerError } from '../../src/domain/errors';
import { PostgresErasures } from '../../src/postgres/erasures';
import { connectionOptions, PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import { targetOf } from '../../src/services/erasure-service';
import { buildRegistration } from '../support/builders';
import { createTables, withDatabaseIn, withOwnRole } from '../support/database-roles';
import { eventually } from '../support/eventually';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, sql, type Env } from '../support/test-servers';

const pools: PostgresPool[] = [];

afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.stop())));

function createPool(env: Env): PostgresPool {
  const config = loadConfig(env).postgres;
  const pool = new PostgresPool({ config, state: { isUnavailable: false }, log: new RecordingLogger() });
  pools.push(pool);
  return pool;
}

/** A database of its own, reached by a role with no more rights than needed; `run` is its administrator's. */
async function setUp() {
  const admin = await isolatedServers();
  const env = await withOwnRole(admin);
  const run = (text: string) => sql(admin, text.replaceAll('$role', env.DB_USER));
  return { env, run, pool: createPool(env) };
}

const INSERTED = 'first_name, last_name, email, gender, sex, occupation, created_at';
const REJECT = `CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'maintenance'; END $$;`;

describe('PostgresPool.check', () => {
  it.each([
    {
      what: 'the right to insert',
      take: 'REVOKE INSERT ON users FROM $role',
      give: 'GRANT INSERT ON users TO $role',
      hint: /GRANT SELECT, INSERT ON users TO it \(SQLSTATE 42501: permission denied for table users\)/,
    },
    {
      what: 'the right to insert one of the columns',
      take: `REVOKE INSERT ON users FROM $role; GRANT INSERT (${INSERTED}) ON users TO $role`,
      give: 'GRANT INSERT (updated_at) ON users TO $role',
      hint: /GRANT SELECT, INSERT/,
    },
    {
      what: 'the right to read one of the columns',
      take: `REVOKE SELECT ON users FROM $role; GRANT SELECT (id, email, created_at, updated_at) ON users TO $role`,
      give: 'GRANT SELECT ON users TO $role',
      hint: /GRANT SELECT, INSERT/,
    },
    {
      what: 'the right to read who was erased',
      take: 'REVOKE SELECT ON erasures FROM $role',
      give: 'GRANT SELECT ON erasures TO $role',
      hint: /GRANT SELECT ON erasures.*permission denied for table erasures/,
    },
    {
      what: 'the table of who was erased',
      take: 'ALTER TABLE erasures RENAME TO erasures_away',
      give: 'ALTER TABLE erasures_away RENAME TO erasures',
      hint: /npm run migrate.*"erasures" does not exist/,
    },
    {
      what: 'the right to use the sequence',
      take: 'REVOKE USAGE ON SEQUENCE users_id_seq FROM $role',
      give: 'GRANT USAGE ON SEQUENCE users_id_seq TO $role',
      hint: /GRANT USAGE ON SEQUENCE users_id_seq TO it/,
    },
    {
      what: 'the right to use a sequence that belongs to no column and to another role',
      take: `CREATE SEQUENCE shared; ALTER TABLE users ALTER COLUMN id SET DEFAULT nextval('shared')`,
      give: 'GRANT UPDATE ON SEQUENCE shared TO $role',
      hint: /GRANT USAGE ON SEQUENCE shared TO it/,
    },
    {
      what: 'the right to use the schema',
      take: 'REVOKE USAGE ON SCHEMA public FROM PUBLIC',
      give: 'GRANT USAGE ON SCHEMA public TO $role',
      hint: /npm run migrate.*GRANT USAGE ON its SCHEMA/,
    },
    {
      what: 'the table',
      take: 'ALTER TABLE users RENAME TO users_away',
      give: 'ALTER TABLE users_away RENAME TO users',
      hint: /npm run migrate/,
    },
    {
      what: 'a column',
      take: 'ALTER TABLE users RENAME COLUMN sex TO birth_sex',
      give: 'ALTER TABLE users RENAME COLUMN birth_sex TO sex',
      hint: /npm run migrate.*"sex" does not exist/,
    },
    {
      what: 'a column that may be written',
      take: `ALTER TABLE users DROP COLUMN occupation, ADD COLUMN occupation text GENERATED ALWAYS AS (lower(last_name)) STORED`,
      give: `ALTER TABLE users ALTER COLUMN occupation DROP EXPRESSION`,
      hint: /users takes no INSERT \(.*"occupation"/,
    },
    {
      what: 'the unique index',
      take: 'ALTER TABLE users DROP CONSTRAINT users_email_key',
      give: 'CREATE UNIQUE INDEX users_email_key ON users (email)',
      hint: /CREATE UNIQUE INDEX users_email_key ON users \(email\)/,
    },
    {
      what: 'ids that are left',
      take: `SELECT setval('users_id_seq', 2147483647)`,
      give: 'ALTER TABLE users ALTER COLUMN id TYPE bigint; ALTER SEQUENCE users_id_seq AS bigint',
      hint: /ALTER COLUMN id TYPE bigint; ALTER SEQUENCE users_id_seq AS bigint/,
    },
    {
      what: 'ids that the column can hold',
      take: `ALTER SEQUENCE users_id_seq AS bigint; SELECT setval('users_id_seq', 2147483647)`,
      give: 'ALTER TABLE users ALTER COLUMN id TYPE bigint',
      hint: /ALTER COLUMN id TYPE bigint/,
    },
    {
      what: 'ids of an identity column',
      take: `ALTER TABLE users ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (MAXVALUE 2);
        GRANT SELECT ON SEQUENCE users_id_seq1 TO $role; SELECT nextval('users_id_seq1'), nextval('users_id_seq1')`,
      give: 'ALTER TABLE users ALTER COLUMN id SET MAXVALUE 1000',
      hint: /the ids of users are used up/,
    },
    {
      what: 'a default for the id',
      take: 'ALTER TABLE users ALTER COLUMN id DROP DEFAULT',
      give: `ALTER TABLE users ALTER COLUMN id SET DEFAULT nextval('users_id_seq')`,
      hint: /nothing fills the column id of users/,
    },
    {
      what: 'a default for a new column',
      take: 'ALTER TABLE users ADD COLUMN tenant text NOT NULL',
      give: `ALTER TABLE users ALTER COLUMN tenant SET DEFAULT 'main'`,
      hint: /nothing fills the column tenant of users, which is NOT NULL/,
    },
    {
      what: 'a default for a column of a domain that must not be NULL',
      take: 'CREATE DOMAIN tenant AS text NOT NULL; ALTER TABLE users ADD COLUMN tenant tenant',
      give: `ALTER DOMAIN tenant DROP NOT NULL`,
      hint: /nothing fills the column tenant/,
    },
    {
      what: 'the sight of every row',
      take: 'ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON users FOR INSERT WITH CHECK (true)',
      give: 'ALTER ROLE $role BYPASSRLS',
      hint: /row level security hides rows/,
    },
    {
      what: 'a trigger that lets a statement pass',
      take: `${REJECT} CREATE TRIGGER reject BEFORE INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION reject()`,
      give: 'DROP TRIGGER reject ON users',
      hint: /users takes no INSERT \(SQLSTATE P0001: maintenance\)/,
    },
  ])(
    'notices, with a hint, when $what is taken away, and when it is given back',
    async ({ take, give, hint }) => {
      const { pool, run } = await setUp();
      await pool.check();

      await run(take);
      const failure = await pool.check().catch((error: unknown) => error);
      await run(give);

      expect(failure).toBeInstanceOf(UnsuitableServerError);
      expect((failure as Error).message).toMatch(hint);
      await pool.check();
    },
  );

  it.each([
    [
      'an identity column, whose sequence takes no right',
      `ALTER TABLE users ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY`,
    ],
    [
      'ids of a function',
      `CREATE FUNCTION own_id() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE users ALTER COLUMN id SET DEFAULT own_id()`,
    ],
    [
      'a trigger that fills a new column',
      `ALTER TABLE users ADD COLUMN tenant text NOT NULL;
       CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tenant := 'main'; RETURN NEW; END $$;
       CREATE TRIGGER fill BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fill()`,
    ],
    [
      'row level security that hides nothing',
      'ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON users USING (true)',
    ],
    [
      'a partitioned table',
      `DROP TABLE users; CREATE SEQUENCE ids;
       CREATE TABLE users (id int NOT NULL DEFAULT nextval('ids'), first_name text, last_name text, email text PRIMARY KEY,
         gender text, sex text, occupation text, created_at timestamp, updated_at timestamp) PARTITION BY HASH (email);
       CREATE TABLE users_0 PARTITION OF users FOR VALUES WITH (MODULUS 1, REMAINDER 0);
       GRANT SELECT, INSERT ON users TO $role; GRANT USAGE ON SEQUENCE ids TO $role`,
    ],
    [
      'a time limit of the role, which the check takes longer than',
      `ALTER ROLE $role SET statement_timeout = 200;
       CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
       CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION slow()`,
    ],
    [
      'new columns that may be NULL or have a default',
      `ALTER TABLE users ADD COLUMN a text, ADD COLUMN b text NOT NULL DEFAULT 'b'`,
    ],
  ])('is content with %s', async (_what, change) => {
    const { pool, run } = await setUp();

    await run(change);

    await pool.check();
  });

  it('is content with the right to read where nothing is written', async () => {
    const { pool, run } = await setUp();
    await run('REVOKE INSERT ON users FROM $role; REVOKE ALL ON SEQUENCE users_id_seq FROM $role');

    await pool.check(false);

    await run('REVOKE SELECT ON users FROM $role');
    await expect(pool.check(false)).rejects.toThrow(UnsuitableServerError);
  });

  it.each(['LATIN1', 'SQL_ASCII'])('rejects a database in %s', async (encoding) => {
    const env = await withDatabaseIn(encoding, await isolatedServers());
    await createTables(env);

    await expect(createPool(env).check()).rejects.toThrow(`must be in UTF8, not ${encoding}`);
  });

  it('uses up no ids, and leaves nothing of what a trigger does', async () => {
    const { pool, run } = await setUp();
    await run(
      `CREATE TABLE audit (at timestamp); GRANT INSERT ON audit TO $role;
       CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (now()); RETURN NULL; END $$;
       CREATE TRIGGER audit AFTER INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION audit()`,
    );

    for (let nth = 0; nth < 3; nth += 1) await pool.check();

    expect(await run('SELECT is_called FROM users_id_seq')).toEqual([{ is_called: false }]);
    expect(await run('SELECT FROM audit')).toEqual([]);
  });

  it('notices what only applies to new sessions: settings and the login of the role', async () => {
    const { env, pool, run } = await setUp();
    await pool.check();

    await run('ALTER ROLE $role SET default_transaction_read_only = on');
    await eventually(() => expect(pool.check()).rejects.toThrow(/read-only/), 7000);
    await run('ALTER ROLE $role RESET default_transaction_read_only; ALTER ROLE $role NOLOGIN');
    await expect(createPool(env).check()).rejects.toThrow(UnavailableError);
    await run('ALTER ROLE $role LOGIN');

    await pool.check();
  });
});

describe('PostgresPool.check of a process that erases', () => {
  it.each([
    'DELETE ON users',
    'INSERT ON erasures',
    'UPDATE ON erasures',
    'DELETE ON erasures',
    'SELECT ON erasures',
  ])('misses the right to %s', async (right) => {
    const { pool, run } = await setUp();
    await run('GRANT DELETE ON users TO $role; GRANT SELECT, INSERT, UPDATE, DELETE ON erasures TO $role');
    await run(`REVOKE ${right} FROM $role`);

    await expect(pool.check(false, true)).rejects.toThrow(/^DB_USER may not erase: GRANT DELETE ON users/);
    await run(`GRANT ${right} TO $role`);
    await pool.check(true, true);

    const registration = buildRegistration();
    const [erased] = await new PostgresErasures(pool).erase([targetOf(registration.email)], 'dpo');
    await new PostgresUsers(pool).insertMissing([registration]);
    expect(erased?.row).toBe(false);
    expect(await new PostgresErasures(pool).forget(90, true)).toBe(1);
  });

  it('asks for none of them where nobody is erased; looking for unfinished ones takes none', async () => {
    const { pool } = await setUp();
    const erasures = new PostgresErasures(pool);

    await pool.check(true, false);

    expect(await erasures.forget(90, true)).toBe(0);
    expect(await erasures.sweep(0, () => Promise.reject(new Error('nothing to clean')))).toBe(false);
  });
});

describe('PostgresPool.canRead', () => {
  const failureOf = (pool: PostgresPool): Promise<unknown> => pool.check().catch((error: unknown) => error);

  it.each([
    ['the right to insert is missing', 'REVOKE INSERT ON users FROM $role', true],
    ['the right to read is missing', 'REVOKE SELECT ON users FROM $role', false],
    ['the table is missing', 'ALTER TABLE users RENAME TO users_away', false],
  ])('when %s', async (_what, change, canRead) => {
    const { pool, run } = await setUp();
    await run(change);

    expect(await pool.canRead(await failureOf(pool))).toBe(canRead);
  });

  it.each([
    ['SHARE', true],
    ['ACCESS EXCLUSIVE', false],
  ])('while another session holds a lock (%s), which the hint names', async (mode, canRead) => {
    const { env, pool } = await setUp();
    const other = new Client(
      connectionOptions(loadConfig({ ...env, DB_USER: 'postgres', DB_PASSWORD: 'postgres' }).postgres),
    );
    await other.connect();
    await other.query(`BEGIN; LOCK TABLE users IN ${mode} MODE`);

    const failure = await failureOf(pool);
    const isReadable = await pool.canRead(failure);
    await other.end();

    expect(failure).toMatchObject({ message: expect.stringContaining('another session has locked users') });
    expect(isReadable).toBe(canRead);
    await pool.check();
  });

  it('by a connection that is open when new ones are rejected; not without one', async () => {
    const { env, pool, run } = await setUp();
    await new PostgresUsers(pool).findByEmail(buildRegistration().email);
    await run('ALTER ROLE $role CONNECTION LIMIT 0');
    const fresh = createPool(env);

    const failure = await failureOf(fresh);

    expect(failure).toMatchObject({ constructor: UnavailableError });
    expect(await Promise.all([pool.canRead(failure), fresh.canRead(failure)])).toEqual([true, false]);
  });

  it('never by a server that did not respond', async () => {
    const pool = createPool({ DB_HOST: '127.0.0.1', DB_PORT: '1' });

    expect(await pool.canRead(await failureOf(pool))).toBe(false);
  });
});

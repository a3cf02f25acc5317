import { Client } from 'pg';
import { RejectedError, UnavailableError, UnsuitableServerError } from '../../src/domain/errors';
import { loadConfig } from '../../src/config/config';
import { connectionOptions, PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import type { Registration } from '../../src/domain/registration';
import type { Users } from '../../src/services/ports/stores';
import { buildRegistration, buildUser, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes/postgres';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, sql, type Env } from '../support/test-servers';

const isEve = ({ firstName }: Registration): boolean => firstName === 'Eve';

let env: Env;
let pool: PostgresPool;

function createPool(variables: Env, isUnavailable = false): PostgresPool {
  const config = loadConfig(variables).postgres;
  return new PostgresPool({ config, state: { isUnavailable }, log: new RecordingLogger() });
}

beforeAll(async () => {
  env = await isolatedServers();
  pool = createPool(env);
});

afterAll(() => pool.stop());

describe('the rows that PostgreSQL reads', () => {
  let ownPool: PostgresPool;
  let users: PostgresUsers;

  beforeEach(async () => {
    // One connection: it hands in its own statistics before it is asked for them.
    ownPool = createPool({ ...(await isolatedServers()), DB_POOL_MAX: '1' });
    users = new PostgresUsers(ownPool);
  });

  afterEach(() => ownPool.stop());

  const rowsRead = async (): Promise<number> => {
    await ownPool.query('SELECT pg_stat_force_next_flush()', []);
    const [row] = await ownPool.query<{ rows: number }>(
      `SELECT (seq_tup_read + idx_tup_fetch)::int AS rows FROM pg_stat_user_tables WHERE relname = 'users'`,
      [],
    );
    return Number(row?.rows);
  };

  it('are none for look-ups of unknown e-mails, also when the table was empty at first', async () => {
    const lookUp = () => Promise.all([users.isRegistered(uniqueEmail()), users.findByEmail(uniqueEmail())]);
    // PostgreSQL settles on one plan for a prepared statement after five executions.
    for (let nth = 0; nth < 10; nth += 1) await lookUp();
    await users.insertMissing(Array.from({ length: 5000 }, () => buildRegistration()));
    const before = await rowsRead();

    for (let nth = 0; nth < 10; nth += 1) await lookUp();

    expect((await rowsRead()) - before).toBe(0);
  });

  it('are no more for a page deep in the list than for the first', async () => {
    // All of one time, as one batch leaves them.
    await users.insertMissing(Array.from({ length: 5000 }, () => buildRegistration()));
    // As autovacuum does within a minute; knowing nothing of a table, PostgreSQL may sort by the index of created_at.
    await ownPool.query('ANALYZE users', []);
    const { next } = await users.list({ limit: 1, offset: 4000 });
    const before = await rowsRead();

    const page = await users.list({ limit: 10, offset: 0, ...(next && { after: next }) });

    expect(page.users).toHaveLength(10);
    expect((await rowsRead()) - before).toBe(11);
  });
});

describe.each<[string, () => Users]>([
  ['InMemoryUsers', () => new InMemoryUsers()],
  ['PostgresUsers', () => new PostgresUsers(pool)],
])('Users: %s', (_name, create) => {
  it('inserts what is missing and answers the stored row of every e-mail', async () => {
    const users = create();
    const [known, fresh] = [buildRegistration(), buildRegistration()];
    const before = await users.insertMissing([known]);

    const stored = await users.insertMissing([{ ...known, firstName: 'Mallory' }, fresh]);

    expect([...stored.keys()].sort()).toEqual([known.email, fresh.email].sort());
    expect(stored.get(known.email)).toEqual(before.get(known.email));
    expect(stored.get(fresh.email)).toMatchObject({ first_name: 'John', email: fresh.email });
  });

  it('gives ids in the order of the batch', async () => {
    const users = create();
    const batch = Array.from({ length: 50 }, () => buildRegistration());

    const stored = await users.insertMissing(batch);

    const ids = batch.map(({ email }) => stored.get(email)?.id ?? 0);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  });

  it('finds by e-mail, and knows who is registered', async () => {
    const users = create();
    const registration = buildRegistration();
    expect(await users.findByEmail(registration.email)).toBeUndefined();
    expect(await users.isRegistered(registration.email)).toBe(false);

    const stored = (await users.insertMissing([registration])).get(registration.email);

    expect(await users.findByEmail(registration.email)).toEqual(stored);
    expect(await users.findByEmails([registration.email, uniqueEmail()])).toEqual([stored]);
    expect(
      await Promise.all([registration.email, uniqueEmail()].map((email) => users.isRegistered(email))),
    ).toEqual([true, false]);
  });

  it('lists newest first', async () => {
    const users = create();
    const batch = [buildRegistration(), buildRegistration(), buildRegistration()];
    for (const registration of batch) await users.insertMissing([registration]);

    const page = await users.list({ limit: 2, offset: 1 });

    expect(page.users.map(({ email }) => email)).toEqual([batch[1]?.email, batch[0]?.email]);
  });

  it('goes on behind the last row of a page, until there is none', async () => {
    const users = create();
    const batch = Array.from({ length: 5 }, () => buildRegistration());
    await users.insertMissing(batch);

    const first = await users.list({ limit: 3, offset: 0 });
    await users.insertMissing([buildRegistration()]);
    const second = await users.list({ limit: 1, offset: 0, ...(first.next && { after: first.next }) });
    const third = await users.list({ limit: 1000, offset: 0, ...(second.next && { after: second.next }) });

    const seen = [first, second, third].flatMap((page) => page.users.map(({ email }) => email));
    expect(seen.slice(0, 5)).toEqual(batch.map(({ email }) => email).reverse());
    expect(third.next).toBeUndefined();
  });

  it('lists, and counts when asked to, what was created in a window', async () => {
    const users = create();
    const batch = Array.from({ length: 5 }, () => buildRegistration());
    const stored = await users.insertMissing(batch);
    const since = stored.get(batch[0]?.email ?? '')?.created_at.replace('Z', '000Z');
    const emails = batch.map(({ email }) => email).reverse();

    const young = await users.list({ limit: 2, offset: 1, createdFrom: since, total: 'exact' });
    const old = await users.list({ limit: 1000, offset: 0, createdBefore: since });
    const none = await users.list({
      limit: 1,
      offset: 0,
      createdFrom: since,
      createdBefore: since,
      total: 'exact',
    });

    expect(young.users.map(({ email }) => email)).toEqual(emails.slice(1, 3));
    expect(young.total).toBeGreaterThanOrEqual(5);
    expect(old.users.filter(({ email }) => emails.includes(email))).toEqual([]);
    expect(old.total).toBeUndefined();
    expect(none).toEqual({ users: [], total: 0 });
  });

  it('takes an empty batch', async () => {
    expect((await create().insertMissing([])).size).toBe(0);
  });
});

describe.each<[string, () => Promise<Users>]>([
  ['InMemoryUsers', () => Promise.resolve(Object.assign(new InMemoryUsers(), { rejects: isEve }))],
  [
    'PostgresUsers',
    async () => {
      await sql(env, `ALTER TABLE users ADD CONSTRAINT no_eve CHECK (first_name <> 'Eve')`);
      return new PostgresUsers(pool);
    },
  ],
])('Users that reject some registrations: %s', (_name, create) => {
  let users: Users;
  beforeAll(async () => {
    users = await create();
  });
  afterAll(() => sql(env, 'ALTER TABLE users DROP CONSTRAINT IF EXISTS no_eve'));

  const eve = buildRegistration({ firstName: 'Eve' });
  const rejectionOf = (registrations: readonly Registration[]): Promise<RejectedError> =>
    users.insertMissing(registrations).then(
      () => Promise.reject(new Error('stored')),
      (error: unknown) => error as RejectedError,
    );

  it('store none of a batch with one of them', async () => {
    const neighbour = buildRegistration();

    expect(await rejectionOf([neighbour, eve])).toBeInstanceOf(RejectedError);

    expect(await users.isRegistered(neighbour.email)).toBe(false);
  });

  it('confirm a rejection while they would store another one', async () => {
    await expect(users.confirmRejection(eve, await rejectionOf([eve]))).resolves.toBeUndefined();
  });

  it('do not confirm that of a registration that they would store by now', async () => {
    const rejection = await rejectionOf([eve]);

    await expect(users.confirmRejection(buildRegistration(), rejection)).rejects.toThrow(UnavailableError);
  });
});

describe('PostgresUsers', () => {
  it.each(['int', 'bigint'])(
    'lists rows without a time, which the column allows, before the others (%s)',
    async (type) => {
      await sql(env, `ALTER TABLE users ALTER COLUMN id TYPE ${type}`);
      const users = new PostgresUsers(pool);
      const batch = Array.from({ length: 4 }, () => buildRegistration());
      const stored = await users.insertMissing(batch);
      const ids = batch.map(({ email }) => stored.get(email)?.id);
      await sql(env, 'UPDATE users SET created_at = NULL WHERE id = ANY($1)', [ids.slice(0, 2)]);

      const first = await users.list({ limit: 1, offset: 0 });
      const second = await users.list({ limit: 1, offset: 0, ...(first.next && { after: first.next }) });
      const third = await users.list({ limit: 2, offset: 0, ...(second.next && { after: second.next }) });

      const listed = [first, second, third].flatMap((page) => page.users);
      await sql(env, 'DELETE FROM users WHERE created_at IS NULL');
      expect(listed.map(({ id }) => id)).toEqual([ids[1], ids[0], ids[3], ids[2]]);
      const time = expect.stringMatching(/Z$/) as string;
      expect(listed.map(({ created_at: createdAt }) => createdAt)).toEqual([null, null, time, time]);
    },
  );

  it('writes and reads true instants whatever the zone of the session, as rows by hand get them', async () => {
    const own = await isolatedServers();
    await sql(own, `ALTER DATABASE ${own['DB_NAME'] ?? ''} SET timezone TO 'Asia/Kolkata'`);
    const ownPool = createPool(own);
    const users = new PostgresUsers(ownPool);
    const registration = buildRegistration();

    await users.insertMissing([registration]);
    await sql(
      own,
      `INSERT INTO users (first_name, last_name, email, gender, sex, occupation)
       VALUES ('Jo', 'Do', $1, 'male', 'male', 'DBA')`,
      [uniqueEmail()],
    );

    const { users: rows } = await users.list({ limit: 2, offset: 0 });
    await ownPool.stop();
    const times = rows.flatMap((row) => [row.created_at, row.updated_at]).map((time) => Date.parse(time));
    expect(times).toHaveLength(4);
    for (const time of times) expect(Math.abs(time - Date.now())).toBeLessThan(60_000);
  });

  it('burns no ids on known duplicates', async () => {
    const users = new PostgresUsers(pool);
    const known = buildRegistration();
    const before = (await users.insertMissing([known])).get(known.email)?.id ?? 0;

    for (let round = 0; round < 10; round += 1) await users.insertMissing([known]);

    const next = buildRegistration();
    expect((await users.insertMissing([next])).get(next.email)?.id).toBe(before + 1);
  });

  it('leaves a row as it is that another writer commits during the insert, and answers that row', async () => {
    const users = new PostgresUsers(pool);
    const [first, neighbour] = [buildRegistration(), buildRegistration()];
    const row = { ...buildUser(first), updated_at: '2026-02-03T04:05:06.789Z' };
    const otherWriter = new Client(connectionOptions(loadConfig(env).postgres));
    await otherWriter.connect();
    try {
      await otherWriter.query('BEGIN');
      await otherWriter.query(
        `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz AT TIME ZONE 'UTC', $8::timestamptz AT TIME ZONE 'UTC')`,
        [...Object.values(first), row.created_at, row.updated_at],
      );

      const inserting = users.insertMissing([{ ...first, firstName: 'Mallory' }, neighbour]);
      await eventually(async () => {
        const blocked = 'SELECT FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))';
        expect((await otherWriter.query(blocked)).rowCount).toBeGreaterThan(0);
      });
      await otherWriter.query('COMMIT');

      const stored = await inserting;
      expect(stored.get(first.email)).toEqual({ ...row, id: expect.any(Number) as number });
      expect(stored.get(neighbour.email)).toMatchObject({ first_name: 'John' });
      expect(await users.findByEmail(first.email)).toEqual(stored.get(first.email));
    } finally {
      await otherWriter.end();
    }
  });

  it.each([
    ['too long a name', { firstName: 'x'.repeat(101) }, '22001'],
    ['a NUL', { occupation: 'a\0b' }, '22021'],
  ])('says what PostgreSQL rejects (%s)', async (_what, fields, sqlState) => {
    const users = new PostgresUsers(pool);

    const inserting = users.insertMissing([buildRegistration(fields)]);

    await expect(inserting).rejects.toMatchObject({ constructor: RejectedError, sqlState });
  });

  it('answers the row as it is stored, whatever a trigger makes of it', async () => {
    const own = await isolatedServers();
    await sql(
      own,
      `CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.last_name := upper(NEW.last_name); NEW.created_at := 'infinity'; RETURN NEW; END $$;
       CREATE TRIGGER shout BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION shout()`,
    );
    const ownPool = createPool(own);
    const users = new PostgresUsers(ownPool);
    const registration = buildRegistration();

    const stored = (await users.insertMissing([registration])).get(registration.email);

    expect(stored).toMatchObject({ last_name: 'DOE', created_at: 'infinity' });
    expect(await users.findByEmail(registration.email)).toEqual(stored);
    await ownPool.stop();
  });

  it('is unavailable, at once, while the background check says so', async () => {
    const away = createPool(env, true);

    await expect(new PostgresUsers(away).findByEmail(uniqueEmail())).rejects.toThrow(UnavailableError);
    await away.check();
    await away.stop();
  });

  it('is unavailable when the schema is not there yet, and its check fails', async () => {
    const empty = createPool({ ...env, DB_NAME: 'postgres' });

    const users = new PostgresUsers(empty);

    await expect(users.isRegistered(uniqueEmail())).rejects.toThrow(UnavailableError);
    await expect(users.list({ limit: 1, offset: 0 })).rejects.toThrow(UnavailableError);
    await expect(users.insertMissing([buildRegistration()])).rejects.toMatchObject({ sqlState: '42P01' });
    await expect(empty.check()).rejects.toThrow(UnsuitableServerError);
    await empty.stop();
  });

  it('tries again when one of the rows vanishes between insert and read', async () => {
    const users = new PostgresUsers(pool);
    const [kept, vanished] = [buildRegistration(), buildRegistration()];
    await users.insertMissing([kept, vanished]);
    users.findByEmails = () => Promise.resolve([buildUser(kept)]);

    await expect(users.insertMissing([kept, vanished])).rejects.toThrow(UnavailableError);
  });
});

import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { CLOCK_MARGIN_MS, emailDigest } from '../../src/domain/erasure';
import { UnavailableError } from '../../src/domain/errors';
import { PostgresErasures } from '../../src/postgres/erasures';
import { SHARE_WRITER_LOCK, WRITER_LOCK } from '../../src/postgres/insert-missing';
import { connectionOptions, PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import { targetOf } from '../../src/services/erasure-service';
import type { ErasedUser } from '../../src/services/ports/messaging';
import type { DueErasure, Erasures, Users } from '../../src/services/ports/stores';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryErasures, InMemoryUsers } from '../support/fakes/postgres';
import { RecordingLogger } from '../support/recording-logger';
import { insertUser, isolatedServers, sql, type Env } from '../support/test-servers';

interface Stores {
  readonly users: Users;
  readonly erasures: Erasures;
  /** Stores a row that is older than the margin. */
  readonly storeOld: (email: string) => Promise<void>;
  readonly storeYoung: (email: string) => Promise<void>;
}

const LONG_MS = 3_600_000;
let env: Env;
let pool: PostgresPool;

beforeAll(async () => {
  env = await isolatedServers();
  // The strictest that a database may have by default: in it a snapshot would be older than the lock it waits for.
  await sql(
    env,
    `ALTER DATABASE "${env['DB_NAME'] ?? ''}" SET default_transaction_isolation = 'serializable'`,
  );
  const config = loadConfig(env).postgres;
  pool = new PostgresPool({ config, state: { isUnavailable: false }, log: new RecordingLogger() });
});

afterAll(() => pool.stop());

function inMemory(): Stores {
  const users = new InMemoryUsers();
  const store = async (email: string, createdAtMs: number): Promise<void> => {
    await users.insertMissing([buildRegistration({ email })]);
    const row = users.rows.findIndex((each) => each.email === email);
    const created_at = new Date(createdAtMs).toISOString();
    users.rows.splice(row, 1, ...users.rows.slice(row, row + 1).map((user) => ({ ...user, created_at })));
  };
  return {
    users,
    erasures: new InMemoryErasures(users),
    storeOld: (email) => store(email, Date.now() - 11_000),
    storeYoung: (email) => store(email, Date.now() - 8000),
  };
}

function inPostgres(): Stores {
  const store = async (email: string, createdAt: string): Promise<void> => {
    await insertUser(env, buildRegistration({ email }));
    await sql(env, `UPDATE users SET created_at = ${createdAt} WHERE email = $1`, [email]);
  };
  return {
    users: new PostgresUsers(pool),
    erasures: new PostgresErasures(pool),
    storeOld: (email) => store(email, `(now() AT TIME ZONE 'UTC') - interval '11 s'`),
    storeYoung: (email) => store(email, `(now() AT TIME ZONE 'UTC') - interval '8 s'`),
  };
}

const erase = async ({ erasures }: Stores, email: string, eventId?: string) => {
  const [erased] = await erasures.erase([{ ...targetOf(email), eventId }], 'dpo');
  if (erased === undefined) throw new Error('left alone');
  return erased;
};

describe.each<[string, () => Stores]>([
  ['in memory', inMemory],
  ['in PostgreSQL', inPostgres],
])('Erasures %s', (_name, create) => {
  it('delete the row, if there is one, and remember who it was', async () => {
    const stores = create();
    const [known, unknown] = [uniqueEmail(), uniqueEmail()];
    await stores.storeOld(known);

    const erased = await stores.erasures.erase([targetOf(known), targetOf(unknown)], 'dpo');

    const facts = { erasedAtMs: expect.any(Number) as number, eventIds: [] };
    expect(erased.sort((a) => (a.email === known ? -1 : 1))).toEqual([
      { ...targetOf(known), ...facts, row: true },
      { ...targetOf(unknown), ...facts, row: false },
    ]);
    expect(Math.abs(Date.now() - (erased[0]?.erasedAtMs ?? 0))).toBeLessThan(2000);
    expect(await stores.users.isRegistered(known)).toBe(false);
    const found = await stores.users.findErasures([known, unknown, uniqueEmail()]);
    expect([...found.keys()].sort()).toEqual([known, unknown].sort());
    expect(await stores.users.findErasure(known)).toMatchObject({ erasedAtMs: erased[0]?.erasedAtMs });
    expect(await stores.users.findErasure(uniqueEmail())).toBeUndefined();
  });

  it('leave alone a row that is so young that clocks could mistake its record, not its neighbours', async () => {
    const stores = create();
    const [young, old] = [uniqueEmail(), uniqueEmail()];
    await stores.storeYoung(young);
    await stores.storeOld(old);

    const erased = await stores.erasures.erase([targetOf(young), targetOf(old)], 'dpo');

    expect(erased.map(({ email }) => email)).toEqual([old]);
    expect(await stores.users.isRegistered(young)).toBe(true);
    expect(await stores.users.findErasure(young)).toBeUndefined();
  });

  it.each([
    [
      'accepted before, by any clock within the margin',
      { accepted: -2 * CLOCK_MARGIN_MS, skew: 4900 },
      false,
    ],
    ['accepted before the margin', { accepted: -CLOCK_MARGIN_MS - 1, skew: 0 }, false],
    ['accepted at the margin', { accepted: -CLOCK_MARGIN_MS, skew: 0 }, true],
    ['accepted a second later, by a clock that is 4 s behind', { accepted: 1000, skew: -4000 }, true],
    ['accepted a second later, by a clock that is 4 s ahead', { accepted: 1000, skew: 4000 }, true],
  ])('tell a registration that was %s', async (_what, { accepted, skew }, isStored) => {
    const stores = create();
    const registration = buildRegistration();
    const neighbour = buildRegistration();
    const { erasedAtMs } = await erase(stores, registration.email, 'another event');

    const origin = { eventId: randomUUID(), acceptedAtMs: erasedAtMs + accepted + skew };
    const stored = await stores.users.insertMissing([{ ...registration, ...origin }, neighbour]);

    const emails = [neighbour.email, ...(isStored ? [registration.email] : [])];
    expect([...stored.keys()].sort()).toEqual(emails.sort());
    expect(await stores.users.isRegistered(registration.email)).toBe(isStored);
  });

  it('refuse an event that was on its way, after more erasures, too, until it is accepted anew', async () => {
    const stores = create();
    const registration = buildRegistration();
    const event = (eventId: string, afterMs = CLOCK_MARGIN_MS - 1000) => ({
      ...{ ...registration, eventId },
      acceptedAtMs: Date.now() + afterMs,
    });
    const first = await erase(stores, registration.email, 'first');
    const second = await erase(stores, registration.email, 'second');

    expect(second.erasedAtMs).toBeGreaterThanOrEqual(first.erasedAtMs);
    expect(second.eventIds).toEqual(['second', 'first']);
    expect((await stores.users.insertMissing([event('first')])).size).toBe(0);
    expect((await stores.users.insertMissing([event('second')])).size).toBe(0);
    const timeless = { ...registration, eventId: 'first' };
    expect((await stores.users.insertMissing([timeless])).size).toBe(0);
    expect((await stores.users.insertMissing([event('first', CLOCK_MARGIN_MS + 1000)])).size).toBe(1);
  });

  it('hold as of an earlier time, when that is given, unless a later one is known', async () => {
    const { users, erasures } = create();
    const email = uniqueEmail();
    const { digest } = targetOf(email);
    const asOfMs = Date.now() - 3_600_000;
    const registration = buildRegistration({ email });

    const [restored] = await erasures.erase([{ digest, asOfMs }], 'cli');
    const refused = await users.insertMissing([{ ...registration, acceptedAtMs: asOfMs - 60_000 }]);
    const stored = await users.insertMissing([{ ...registration, acceptedAtMs: asOfMs + 60_000 }]);
    const [older] = await erasures.erase([{ digest, asOfMs: asOfMs - 1 }], 'cli');
    const [future] = await erasures.erase([{ digest, asOfMs: Date.now() + 3_600_000 }], 'cli');

    expect([restored?.erasedAtMs, older?.erasedAtMs]).toEqual([asOfMs, asOfMs]);
    expect(Math.abs(Date.now() - (future?.erasedAtMs ?? 0))).toBeLessThan(2000);
    expect([refused.size, stored.size]).toEqual([0, 1]);
  });

  it('answer the row of a person who has registered anew, also for a record of before', async () => {
    const stores = create();
    const registration = buildRegistration();
    await erase(stores, registration.email);
    await stores.users.insertMissing([{ ...registration, firstName: 'New', acceptedAtMs: Date.now() }]);

    const stored = await stores.users.insertMissing([{ ...registration, acceptedAtMs: 0 }]);

    expect(stored.get(registration.email)).toMatchObject({ first_name: 'New' });
  });

  it('take what says nothing of its time as new', async () => {
    const stores = create();
    const registration = buildRegistration();
    await erase(stores, registration.email, 'an event');

    expect((await stores.users.insertMissing([registration])).size).toBe(1);
  });

  it('know people by their digests, with a row or without', async () => {
    const stores = create();
    const [stored, gone] = [uniqueEmail(), uniqueEmail()];
    await stores.storeOld(stored);
    const digests = [stored, gone].map(emailDigest);

    const emails = await stores.erasures.emailsOf(digests);
    await stores.erasures.erase([targetOf(stored), { digest: emailDigest(gone) }], 'cli');

    expect(emails).toEqual([stored]);
    const old = [stored, gone].map((email) => ({ ...buildRegistration({ email }), acceptedAtMs: 0 }));
    expect((await stores.users.insertMissing(old)).size).toBe(0);
  });

  it('have the ids of deleted rows announced, again while nobody takes them', async () => {
    const stores = create();
    const [known, unknown] = [uniqueEmail(), uniqueEmail()];
    await stores.storeOld(known);
    const row = await stores.users.findByEmail(known);
    const { erasedAtMs } = await erase(stores, known);
    await erase(stores, unknown);
    const announced: ErasedUser[][] = [];
    const announce = () =>
      stores.erasures.announce((users) => {
        announced.push([...users]);
        return Promise.resolve();
      });
    const before = await stores.erasures.forget(90, true);

    await expect(
      stores.erasures.announce(() => Promise.reject(new UnavailableError('Kafka is unavailable'))),
    ).rejects.toThrow(UnavailableError);
    await announce();
    await announce();

    expect(announced.flat().filter(({ id }) => id === row?.id)).toEqual([{ id: row?.id, erasedAtMs }]);
    expect(before - (await stores.erasures.forget(90, true))).toBe(announced.flat().length);
    expect(await stores.erasures.forget(90, false)).toBe(await stores.erasures.forget(90, true));
  });

  it('are swept until they have been, with the row of who has registered anew', async () => {
    const stores = create();
    const [gone, anew] = [uniqueEmail(), uniqueEmail()];
    await erase(stores, gone, 'event');
    await erase(stores, anew);
    const [user] = (await stores.users.insertMissing([buildRegistration({ email: anew })])).values();
    const swept: DueErasure[] = [];
    const sweep = () =>
      stores.erasures.sweep(LONG_MS, (due) => {
        swept.push(...due);
        return Promise.resolve();
      });
    const unfinished = await stores.erasures.forget(90, true);

    await expect(
      stores.erasures.sweep(LONG_MS, () => Promise.reject(new UnavailableError('Redis is unavailable'))),
    ).rejects.toThrow(UnavailableError);
    await sweep();
    const ofThese = swept.filter(({ email }) => [gone, anew].includes(email));
    await sweep();

    expect(ofThese).toContainEqual(
      expect.objectContaining({ email: gone, eventIds: ['event'], user: undefined }),
    );
    expect(ofThese).toContainEqual(expect.objectContaining({ email: anew, user }));
    expect(swept.filter(({ email }) => email === gone)).toHaveLength(1);
    expect(unfinished).toBeGreaterThanOrEqual(2);
    expect(await stores.erasures.forget(90, true)).toBe(0);
  });
});

describe('PostgresErasures', () => {
  const own = inPostgresLater();
  const clients: Client[] = [];
  const connect = async (): Promise<Client> => {
    const client = new Client(connectionOptions(loadConfig(env).postgres));
    clients.push(client);
    await client.connect();
    return client;
  };
  // A transaction that is left would hold up the next tests.
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.end())));

  it('wait for a writer under way, whose snapshot is older, and delete its row', async () => {
    const writer = await connect();
    const { email, ...fields } = buildRegistration();
    await writer.query(`BEGIN; ${SHARE_WRITER_LOCK}`);
    await writer.query(
      `INSERT INTO users (email, first_name, last_name, gender, sex, occupation, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, '2020-01-01')`,
      [email, ...Object.values(fields)],
    );

    const erasing = erase(own.stores, email);
    await untilBlocked(writer);
    await writer.query('COMMIT');

    expect(await erasing).toMatchObject({ row: true });
    expect(await own.stores.users.isRegistered(email)).toBe(false);
  });

  it('hold up a writer, whose snapshot then is younger, so that it refuses', async () => {
    const eraser = await connect();
    const registration = buildRegistration();
    await eraser.query(`BEGIN; SELECT pg_advisory_xact_lock(${WRITER_LOCK})`);
    await eraser.query(
      `INSERT INTO erasures (email_sha256, erased_at, event_ids, requested_by) VALUES (decode($1, 'hex'), now(), '{}', 'dpo')`,
      [emailDigest(registration.email)],
    );

    const inserting = own.stores.users.insertMissing([{ ...registration, acceptedAtMs: 0 }]);
    await untilBlocked(eraser);
    await eraser.query('COMMIT');

    expect((await inserting).size).toBe(0);
  });

  it('erase nothing when a writer does not end within a second', async () => {
    const writer = await connect();
    const email = uniqueEmail();
    await own.stores.storeOld(email);
    await writer.query(`BEGIN; ${SHARE_WRITER_LOCK}`);

    await expect(erase(own.stores, email)).rejects.toThrow(UnavailableError);

    expect(await own.stores.users.isRegistered(email)).toBe(true);
    expect(await own.stores.users.findErasure(email)).toBeUndefined();
  });

  describe('on one connection', () => {
    let single: PostgresPool;
    beforeEach(() => {
      const config = loadConfig({ ...env, DB_POOL_MAX: '1' }).postgres;
      const state = { isUnavailable: false };
      single = new PostgresPool({ config, state, log: new RecordingLogger() });
    });
    afterEach(() => single.stop());

    it('erase nothing in a server that is read-only, as after a failover', async () => {
      await single.query('SET default_transaction_read_only = on', []);

      const erasing = new PostgresErasures(single).erase([targetOf(uniqueEmail())], 'dpo');

      await expect(erasing).rejects.toThrow(UnavailableError);
    });

    it('have no request wait long for a server that freezes behind its erasure', async () => {
      const [backend] = await single.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', []);
      if (backend === undefined) throw new Error('no backend');
      const startedAt = performance.now();
      process.kill(backend.pid, 'SIGSTOP');

      const marking = new PostgresErasures(single).markSwept([uniqueEmail()]);

      await expect(marking).rejects.toThrow(UnavailableError);
      process.kill(backend.pid, 'SIGCONT');
      expect(performance.now() - startedAt).toBeLessThan(6000);
    });
  });

  it.each([`'infinity'`, `'-infinity'`, 'NULL', `'0044-03-15 BC'`, `'9999-12-31'`])(
    'erase a row whose created_at is %s',
    async (createdAt) => {
      const email = uniqueEmail();
      await own.stores.storeOld(email);
      await sql(env, `UPDATE users SET created_at = ${createdAt} WHERE email = $1`, [email]);

      expect(await erase(own.stores, email)).toMatchObject({ row: true });
    },
  );

  it('store the records of other programs, whatever their headers say', async () => {
    const origins = [
      { eventId: 'x'.repeat(10_000), acceptedAtMs: 8.64e15 },
      { eventId: '', acceptedAtMs: 0 },
    ];
    const batch = origins.map((origin) => ({ ...buildRegistration(), ...origin }));

    expect((await own.stores.users.insertMissing(batch)).size).toBe(2);
  });

  it('keep no more than a hundred event ids', async () => {
    const email = uniqueEmail();
    await erase(own.stores, email);
    const earlier = Array.from({ length: 100 }, (_, nth) => String(nth));
    await sql(env, 'UPDATE erasures SET event_ids = $2 WHERE email = $1', [email, earlier]);

    const { eventIds } = await erase(own.stores, email, 'newest');

    expect(eventIds).toEqual(['newest', ...earlier.slice(0, 99)]);
  });

  /** What is announced now to those erased with this email. */
  const announcedNow = async (email: string): Promise<number[]> => {
    const [row] = await sql(env, 'SELECT erased_at FROM erasures WHERE email = $1', [email]);
    const announced: ErasedUser[] = [];
    await own.stores.erasures.announce((users) => {
      announced.push(...users);
      return Promise.resolve();
    });
    const ofEmail = announced.filter(({ erasedAtMs }) => erasedAtMs === Number(row?.['erased_at']));
    return ofEmail.map(({ id }) => id);
  };

  it('are announced four times, ever less often, and then without their ids', async () => {
    const email = uniqueEmail();
    await own.stores.storeOld(email);
    const { id } = (await own.stores.users.findByEmail(email)) ?? {};
    await erase(own.stores, email);
    const after = (seconds: number) =>
      sql(env, `UPDATE erasures SET announce_at = announce_at - $2 * interval '1 second' WHERE email = $1`, [
        email,
        seconds,
      ]);
    const seen: unknown[] = [await announcedNow(email)];

    for (const seconds of [15, 30, 60]) {
      await after(seconds - 2);
      seen.push(await announcedNow(email));
      await after(2);
      seen.push(await announcedNow(email));
    }
    await after(1000);

    expect(seen).toEqual([[id], [], [id], [], [id], [], [id]]);
    expect(await announcedNow(email)).toEqual([]);
    expect(await sql(env, 'SELECT user_ids FROM erasures WHERE email = $1', [email])).toEqual([
      { user_ids: [] },
    ]);
  });

  it('are announced with the rows of both when somebody is erased again meanwhile', async () => {
    const email = uniqueEmail();
    await own.stores.storeOld(email);
    await erase(own.stores, email);

    await own.stores.erasures.announce(async () => {
      await own.stores.storeOld(email);
      await erase(own.stores, email);
    });

    expect(await announcedNow(email)).toHaveLength(2);
  });

  it('are announced from the start when somebody is erased again, with the rows of both times', async () => {
    const email = uniqueEmail();
    const ids: unknown[] = [];
    for (let time = 0; time < 2; time += 1) {
      await own.stores.storeOld(email);
      ids.unshift((await own.stores.users.findByEmail(email))?.id);
      await erase(own.stores, email);
      expect(await announcedNow(email)).toEqual(ids);
    }
    await erase(own.stores, email);

    expect(await announcedNow(email)).toEqual(ids);
  });

  it('are announced by one process at a time', async () => {
    const email = uniqueEmail();
    await own.stores.storeOld(email);
    await erase(own.stores, email);
    const seen: unknown[] = [];

    await own.stores.erasures.announce(async () => {
      seen.push(await announcedNow(email));
    });

    expect(seen).toEqual([[]]);
  });

  const dueNow = async (redisConnectedMs: number): Promise<string[]> => {
    const emails: string[] = [];
    await own.stores.erasures.sweep(redisConnectedMs, (due) => {
      emails.push(...due.map(({ email }) => email));
      return Promise.resolve();
    });
    return emails;
  };

  it('are swept again when Redis was connected anew, and when their age has doubled', async () => {
    const email = uniqueEmail();
    await erase(own.stores, email);
    await dueNow(LONG_MS);
    const settled = await dueNow(LONG_MS);
    const connectedAnew = await dueNow(0);
    const age = (minutes: number, sweptAfter: number) =>
      sql(
        env,
        `UPDATE erasures SET recorded_at = now() - $2 * interval '1 minute',
           swept_at = now() - $2 * interval '1 minute' + $3 * interval '1 minute'
         WHERE email = $1`,
        [email, minutes, sweptAfter],
      );
    await age(60, 31);
    const youngerThanDouble = await dueNow(LONG_MS);
    await age(60, 29);

    expect(settled).not.toContain(email);
    expect(connectedAnew).toContain(email);
    expect(youngerThanDouble).not.toContain(email);
    expect(await dueNow(LONG_MS)).toContain(email);
  });

  it('are swept by one process at a time', async () => {
    const email = uniqueEmail();
    await erase(own.stores, email);
    const seen: string[][] = [];

    await own.stores.erasures.sweep(LONG_MS, async () => {
      seen.push(await dueNow(LONG_MS));
    });

    expect(seen).toEqual([[]]);
  });

  const recordedAgo = (email: string, hours: number) =>
    sql(env, `UPDATE erasures SET recorded_at = now() - $2 * interval '1 hour' WHERE email = $1`, [
      email,
      hours,
    ]);
  const WEEK_HOURS = 7 * 24 + 1;

  it('forget the email after 25 hours, and all after the days of their memory', async () => {
    const [fresh, cold, old] = [uniqueEmail(), uniqueEmail(), uniqueEmail()];
    for (const email of [fresh, cold, old]) await erase(own.stores, email);
    await recordedAgo(fresh, 24);
    await recordedAgo(cold, 26);
    await recordedAgo(old, WEEK_HOURS);

    await own.stores.erasures.forget(7, true);

    const rows = await sql(env, 'SELECT email FROM erasures WHERE email_sha256 = ANY ($1::bytea[])', [
      [fresh, cold].map((email) => Buffer.from(emailDigest(email), 'hex')),
    ]);
    expect(new Set(rows.map((row) => row['email']))).toEqual(new Set([fresh, null]));
    expect(await own.stores.users.findErasure(old)).toBeUndefined();
  });

  it('forget nobody who is still to be announced, where others are told', async () => {
    const email = uniqueEmail();
    await own.stores.storeOld(email);
    await erase(own.stores, email);
    await recordedAgo(email, WEEK_HOURS);

    await own.stores.erasures.forget(7, true);
    const kept = await own.stores.users.findErasure(email);
    await own.stores.erasures.forget(7, false);

    expect(kept).toBeDefined();
    expect(await own.stores.users.findErasure(email)).toBeUndefined();
  });

  it('are swept, and remembered, from when they were recorded: a receipt may be older than all that', async () => {
    const target = targetOf(uniqueEmail());
    await own.stores.erasures.erase([{ ...target, asOfMs: Date.now() - 100 * 86_400_000 }], 'dpo');
    const swept: string[] = [];

    await own.stores.erasures.forget(90, true);
    await own.stores.erasures.sweep(LONG_MS, (due) => {
      swept.push(...due.map(({ email }) => email));
      return Promise.resolve();
    });

    expect(swept).toContain(target.email);
    expect(await own.stores.users.findErasure(target.email ?? '')).toBeDefined();
  });
});

function inPostgresLater(): { readonly stores: Stores } {
  let stores: Stores | undefined;
  return {
    get stores() {
      return (stores ??= inPostgres());
    },
  };
}

async function untilBlocked(holder: Client): Promise<void> {
  await eventually(async () => {
    const blocked = 'SELECT FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))';
    expect((await holder.query(blocked)).rowCount).toBeGreaterThan(0);
  });
}

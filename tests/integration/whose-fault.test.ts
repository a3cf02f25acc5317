import { loadConfig } from '../../src/config/config';
import { RejectedError, UnavailableError } from '../../src/domain/errors';
import type { Registration } from '../../src/domain/registration';
import { PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import { DeadLetterPublisher } from '../../src/services/dead-letter-publisher';
import { RegistrationWriter } from '../../src/services/registration-writer';
import { buildRecord, buildRegistration } from '../support/builders';
import { createTables, withDatabaseIn } from '../support/database-roles';
import { eventually } from '../support/eventually';
import { InMemoryFailureMarks, InMemoryReservations, InMemoryUserCache } from '../support/fakes/redis';
import { RecordingDeadLetters } from '../support/fakes/kafka';
import { RecordingMetrics } from '../support/fakes/metrics';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, sql, type Env } from '../support/test-servers';

const pools: PostgresPool[] = [];

afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.stop())));

/** The writer on a real database of its own; `run` is what an administrator does beside it. */
async function setUp(env?: Env) {
  const own = env ?? (await isolatedServers());
  const log = new RecordingLogger();
  const config = loadConfig(own).postgres;
  const pool = new PostgresPool({ config, state: { isUnavailable: false }, log });
  pools.push(pool);
  const deadLetters = new RecordingDeadLetters();
  const deps = {
    users: new PostgresUsers(pool),
    completed: new InMemoryUserCache(),
    pending: new InMemoryReservations(),
    failed: new InMemoryFailureMarks(),
    metrics: new RecordingMetrics(),
    deadLetters,
    log,
  };
  const writer = new RegistrationWriter({ ...deps, deadLetterPublisher: new DeadLetterPublisher(deps) });
  const run = (text: string, values?: unknown[]) => sql(own, text, values);
  return {
    run,
    users: deps.users,
    write: (registrations: readonly Registration[]) =>
      writer.write(registrations.map((value, nth) => buildRecord({ value, offset: String(nth) }))),
    stored: async () => (await run('SELECT email FROM users ORDER BY id')).map(({ email }) => email),
    deadLetters: () => deadLetters.published.map(({ record }) => record.key?.toString()),
  };
}

const many = (count: number, fields: Partial<Registration> = {}): Registration[] =>
  Array.from({ length: count }, () => buildRegistration(fields));

const emailsOf = (registrations: readonly Registration[]): string[] =>
  registrations.map(({ email }) => email);

const triggerThat = (raises: string): string =>
  `CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${raises}; RETURN NEW; END $$;
   CREATE TRIGGER reject BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION reject()`;

describe('a set-up that rejects every registration', () => {
  it.each([
    {
      what: 'ids that are used up',
      breakIt: `SELECT setval('users_id_seq', 2147483647)`,
      mendIt: 'ALTER TABLE users ALTER COLUMN id TYPE bigint; ALTER SEQUENCE users_id_seq AS bigint',
      rejection: { sqlState: '2200H' },
    },
    {
      what: 'ids that are used up in the middle of a batch',
      breakIt: `SELECT setval('users_id_seq', 2147483640)`,
      mendIt: 'ALTER TABLE users ALTER COLUMN id TYPE bigint; ALTER SEQUENCE users_id_seq AS bigint',
      rejection: { sqlState: '2200H' },
    },
    {
      what: 'a sequence that a restore left behind the rows',
      breakIt: `SELECT setval('users_id_seq', 1)`,
      mendIt: `SELECT setval('users_id_seq', (SELECT max(id) FROM users))`,
      rejection: { sqlState: '23505', constraint: 'users_pkey' },
    },
    {
      what: 'the same, with gaps between the rows',
      breakIt: `DELETE FROM users WHERE id % 2 = 0; SELECT setval('users_id_seq', 2)`,
      mendIt: `SELECT setval('users_id_seq', (SELECT max(id) FROM users))`,
      rejection: { sqlState: '23505', constraint: 'users_pkey' },
    },
    {
      what: 'the same, with another name of the key',
      breakIt: `ALTER INDEX users_pkey RENAME TO pk_users; SELECT setval('users_id_seq', 1)`,
      mendIt: `SELECT setval('users_id_seq', (SELECT max(id) FROM users))`,
      rejection: { sqlState: '23505', constraint: 'pk_users' },
    },
    {
      what: 'a new column that must not be NULL',
      breakIt:
        'ALTER TABLE users ADD COLUMN tenant text; UPDATE users SET tenant = 1; ALTER TABLE users ALTER tenant SET NOT NULL',
      mendIt: 'ALTER TABLE users DROP COLUMN tenant',
      rejection: { sqlState: '23502', constraint: 'tenant' },
    },
    {
      what: 'a check that no registration passes',
      breakIt: 'ALTER TABLE users ADD CONSTRAINT never CHECK (id < 0) NOT VALID',
      mendIt: 'ALTER TABLE users DROP CONSTRAINT never',
      rejection: { sqlState: '23514', constraint: 'never' },
    },
    {
      what: 'a domain whose check none passes',
      breakIt: `CREATE DOMAIN short AS varchar(255); ALTER TABLE users ALTER COLUMN occupation TYPE short;
        ALTER DOMAIN short ADD CONSTRAINT short CHECK (length(VALUE) < 3) NOT VALID`,
      mendIt: 'ALTER DOMAIN short DROP CONSTRAINT short',
      rejection: { sqlState: '23514', constraint: 'short' },
    },
    {
      what: 'a reference to what is not there, checked at the commit',
      breakIt: `CREATE TABLE sexes (sex varchar PRIMARY KEY);
        ALTER TABLE users ADD CONSTRAINT known FOREIGN KEY (sex) REFERENCES sexes DEFERRABLE INITIALLY DEFERRED NOT VALID`,
      mendIt: `INSERT INTO sexes VALUES ('male')`,
      rejection: { sqlState: '23503', constraint: 'known' },
    },
    {
      what: 'a trigger that raises always, with the code of a check',
      breakIt: triggerThat(`RAISE EXCEPTION 'closed' USING ERRCODE = '23514'`),
      mendIt: 'DROP TRIGGER reject ON users',
      rejection: { sqlState: '23514' },
    },
    {
      what: 'a missing right of a trigger',
      breakIt: triggerThat(
        `PERFORM pg_read_file('/'); EXCEPTION WHEN others THEN RAISE insufficient_privilege`,
      ),
      mendIt: 'DROP TRIGGER reject ON users',
      rejection: { sqlState: '42501' },
    },
    {
      what: 'a column that is missing',
      breakIt: 'ALTER TABLE users RENAME COLUMN gender TO pronouns',
      mendIt: 'ALTER TABLE users RENAME COLUMN pronouns TO gender',
      rejection: { sqlState: '42703' },
    },
    {
      what: 'a lost unique index',
      breakIt: 'ALTER TABLE users DROP CONSTRAINT users_email_key',
      mendIt: 'CREATE UNIQUE INDEX ON users (email)',
      rejection: { sqlState: '42P10' },
    },
  ])('$what: they wait, and are rows when it is mended', async ({ breakIt, mendIt, rejection }) => {
    const { run, write, stored, deadLetters } = await setUp();
    const [before, waiting] = [many(60), many(20)];
    await write(before);
    await run(breakIt);

    const failure = await write(waiting).catch((error: unknown) => error);
    await run(mendIt);
    await write(waiting);

    expect(failure).toBeInstanceOf(RejectedError);
    expect(failure).toMatchObject(rejection);
    expect(await stored()).toEqual(expect.arrayContaining(emailsOf(waiting)));
    expect(deadLetters()).toEqual([]);
  });

  it('is told from bad data on an empty table, too', async () => {
    const { run, write, deadLetters } = await setUp();
    await run('ALTER TABLE users ADD COLUMN tenant text NOT NULL');

    await expect(write(many(3))).rejects.toMatchObject({ sqlState: '23502', constraint: 'tenant' });

    expect(deadLetters()).toEqual([]);
  });

  it('is the encoding for text that it cannot hold; what it can is stored', async () => {
    const env = await withDatabaseIn('LATIN1', await isolatedServers());
    await createTables(env);
    const { write, stored, deadLetters } = await setUp(env);
    const [john, han] = [buildRegistration(), buildRegistration({ firstName: '漢字' })];

    await write([john]);
    await expect(write([han])).rejects.toMatchObject({ sqlState: '22P05' });

    expect(await stored()).toEqual([john.email]);
    expect(deadLetters()).toEqual([]);
  });
});

describe('a registration that PostgreSQL rejects while it stores others', () => {
  it.each([
    ['a check', `ALTER TABLE users ADD CHECK (first_name <> 'Eve')`],
    ['a check on the address', `ALTER TABLE users ADD CHECK (email ~ '^[a-z]+@' OR first_name <> 'Eve')`],
    [
      'a domain',
      `CREATE DOMAIN given AS varchar(100) CHECK (VALUE <> 'Eve'); ALTER TABLE users ALTER COLUMN first_name TYPE given`,
    ],
    ['a shorter column', 'ALTER TABLE users ALTER COLUMN last_name TYPE varchar(4)'],
    ['a trigger', triggerThat(`IF NEW.first_name = 'Eve' THEN RAISE EXCEPTION 'no %', NEW.email; END IF`)],
    [
      'a trigger with a code of its own',
      triggerThat(`IF NEW.first_name = 'Eve' THEN RAISE EXCEPTION 'no' USING ERRCODE = '55000'; END IF`),
    ],
    [
      'a reference, checked at the commit',
      `CREATE TABLE names (name varchar PRIMARY KEY); INSERT INTO names VALUES ('John');
       ALTER TABLE users ADD FOREIGN KEY (first_name) REFERENCES names DEFERRABLE INITIALLY DEFERRED`,
    ],
    ['an exclusion', `ALTER TABLE users ADD EXCLUDE (first_name WITH =) WHERE (first_name = 'Eve')`],
  ])('by %s: is a dead letter; its neighbours are rows', async (what, rule) => {
    const { run, write, stored, deadLetters } = await setUp();
    await run(rule);
    // One that is there makes an exclusion.
    if (what === 'an exclusion') await write(many(1, { firstName: 'Eve' }));
    const [first, second, eve] = [
      many(7),
      many(8),
      buildRegistration({ firstName: 'Eve', lastName: 'First Lady' }),
    ];

    await write([...first, eve, ...second]);

    expect(deadLetters()).toEqual([eve.email]);
    expect(await stored()).toEqual(expect.arrayContaining(emailsOf([...first, ...second])));
    expect(await stored()).not.toContain(eve.email);
  });

  it('by a second unique index, on the address', async () => {
    const { run, write, stored, deadLetters } = await setUp();
    await run(`CREATE UNIQUE INDEX ON users ((replace(split_part(email, '@', 1), '.', '')))`);
    const [dotted, plain] = [{ email: 'john.doe@example.com' }, { email: 'johndoe@example.com' }].map(
      buildRegistration,
    );
    const others = many(30);

    await write([dotted, plain, ...others].filter((each) => each !== undefined));

    expect(deadLetters()).toEqual(['johndoe@example.com']);
    expect(await stored()).toHaveLength(31);
  });

  it('by a second unique index, on the names that the newest row has as well', async () => {
    const { run, write, stored, deadLetters } = await setUp();
    await run('CREATE UNIQUE INDEX ON users (lower(first_name), lower(last_name))');
    const [one, same] = many(2);
    await write(many(1, { firstName: 'Adam' }));

    await write([one, same].filter((each) => each !== undefined));

    expect(await stored()).toContain(one?.email);
    expect(deadLetters()).toEqual([same?.email]);
  });

  it('by a check that the newest row does not pass, either: as soon as another one is stored', async () => {
    const { run, write, stored, deadLetters } = await setUp();
    await write(many(1, { email: 'old@example.org' }));
    await run(`ALTER TABLE users ADD CHECK (email LIKE '%@example.com') NOT VALID`);
    const [foreign, others] = [buildRegistration({ email: 'new@example.net' }), many(30)];

    await expect(write([foreign, ...others])).rejects.toThrow(RejectedError);
    await write([foreign, ...others]);

    expect(deadLetters()).toEqual([foreign.email]);
    expect(await stored()).toHaveLength(31);
  });

  it('gives the email to the next one, which is not at fault', async () => {
    const { run, write, stored, deadLetters } = await setUp();
    await run(`ALTER TABLE users ADD CHECK (first_name <> 'Eve')`);
    const eve = buildRegistration({ firstName: 'Eve' });

    await write([eve, { ...eve, firstName: 'Evelyn' }]);

    expect([await stored(), deadLetters()]).toEqual([[eve.email], [eve.email]]);
  });

  it('many of them, each alone, soon enough for the consumer’s session', async () => {
    const { run, write, stored, deadLetters } = await setUp();
    await run(`ALTER TABLE users ADD CHECK (first_name <> 'Eve')`);
    const [eves, others] = [many(100, { firstName: 'Eve' }), many(100)];

    const startedAt = performance.now();
    await write(eves.flatMap((eve, nth) => [eve, others[nth] ?? eve]));

    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(deadLetters().sort()).toEqual(emailsOf(eves).sort());
    expect(await stored()).toHaveLength(100);
  });
});

describe('what is neither', () => {
  it.each(['40001', '40P01', '55P03', '53200'])('%s: is tried again', async (code) => {
    const { run, write, stored, deadLetters } = await setUp();
    await run(triggerThat(`RAISE EXCEPTION 'later' USING ERRCODE = '${code}'`));
    const [one] = many(1);

    await expect(write(many(1))).rejects.toThrow(UnavailableError);
    await run('DROP TRIGGER reject ON users');
    await write([one].filter((each) => each !== undefined));

    expect([await stored(), deadLetters()]).toEqual([[one?.email], []]);
  });

  it('a set-up that is mended between the rejection and the comparison: no dead letter', async () => {
    const { run, users, deadLetters, write, stored } = await setUp();
    await run('ALTER TABLE users ADD COLUMN tenant text NOT NULL');
    const registration = buildRegistration();
    const rejection = await users.insertMissing([registration]).catch((error: unknown) => error);
    await run('ALTER TABLE users DROP COLUMN tenant');

    await expect(users.confirmRejection(registration, rejection as RejectedError)).rejects.toThrow(
      UnavailableError,
    );

    expect(await stored()).toEqual([]);
    await write([registration]);
    expect([await stored(), deadLetters()]).toEqual([[registration.email], []]);
  });

  it('a statement that is cancelled as by its time limit: not repeated unchanged, and one record is compared', async () => {
    const { run, users, deadLetters } = await setUp();
    await run(triggerThat('PERFORM pg_sleep(60)'));
    const cancel = () =>
      eventually(async () =>
        expect(
          await run(
            `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
          ),
        ).toHaveLength(1),
      );
    const inserting = users.insertMissing(many(2));
    const [failure] = await Promise.all([inserting.catch((error: unknown) => error), cancel()]);
    expect(failure).toMatchObject({ sqlState: '57014', isTimeout: true });

    const confirming = users.confirmRejection(buildRegistration(), failure as RejectedError);
    await Promise.all([expect(confirming).rejects.toMatchObject({ isTimeout: true }), cancel()]);

    expect(deadLetters()).toEqual([]);
  });

  it('leaves nothing of a comparison', async () => {
    const { run, users, stored } = await setUp();
    await run(`ALTER TABLE users ADD CHECK (first_name <> 'Eve')`);

    await users.confirmRejection(buildRegistration({ firstName: 'Eve' }), new RejectedError('23514'));

    expect(await stored()).toEqual([]);
  });
});

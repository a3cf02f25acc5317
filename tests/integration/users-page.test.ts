import fc from 'fast-check';
import { loadConfig } from '../../src/config/config';
import { encodeCursor, parsePage, type PageRequest } from '../../src/domain/pagination';
import { UnavailableError } from '../../src/domain/errors';
import type { User } from '../../src/domain/stored-user';
import { PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, sql, type Env } from '../support/test-servers';

type Query = Readonly<Record<string, string | undefined>>;

const pools: PostgresPool[] = [];
afterAll(() => Promise.all(pools.map((pool) => pool.stop())));

function open(env: Env): { pool: PostgresPool; users: PostgresUsers } {
  const config = loadConfig(env).postgres;
  const pool = new PostgresPool({ config, state: { isUnavailable: false }, log: new RecordingLogger() });
  pools.push(pool);
  return { pool, users: new PostgresUsers(pool) };
}

/** One row for each time; null for one without. Its email says which it is. */
async function insertTimes(env: Env, times: readonly (string | null)[]): Promise<void> {
  await sql(
    env,
    `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at)
     SELECT 'Jo', 'Doe', nth - 1 || '@example.com', 'male', 'male', 'Tester', time::timestamp
     FROM unnest($1::text[]) WITH ORDINALITY AS r(time, nth)`,
    [times],
  );
}

/** All rows of all pages, as a client gets them that follows the links. */
async function walk(users: PostgresUsers, { cursor, ...query }: Query, limit: number): Promise<User[]> {
  const rows: User[] = [];
  let next = cursor;
  do {
    const page = await users.list(parsePage({ ...query, cursor: next, limit: String(limit) }));
    rows.push(...page.users);
    next = page.next && encodeCursor(page.next);
  } while (next !== undefined && rows.length < 1000);
  return rows;
}

describe('the pages of a window', () => {
  const MICROS = ['000000', '000001', '499999', '500000', '999999'];
  const SECONDS = [
    '0001-01-01T00:00:00',
    '2026-11-01T12:00:00',
    '2026-11-01T12:00:01',
    '9999-12-31T23:59:59',
  ];
  const edges = SECONDS.flatMap((second) => MICROS.map((micros) => `${second}.${micros}Z`));
  const before = ['-infinity', '4714-11-24 BC', '0001-12-31 23:59:59.999999 BC'];
  const after = ['10000-01-01', '294276-12-31 23:59:59.999999', 'infinity'];
  // Oldest first, each twice, with those behind them that have none.
  const times = [...[...before, ...edges, ...after].flatMap((time) => [time, time]), null, null];
  const firstAt = (edge: number): number => 2 * (before.length + edge);

  it('are the rows of the whole list that were created in it, each once, from any cursor on, and as many as are counted', async () => {
    const env = await isolatedServers();
    await insertTimes(env, times);
    const { users } = open(env);
    const whole = await walk(users, {}, 1000);
    const nth = ({ email }: User): number => Number.parseInt(email, 10);
    expect(whole.map(nth)).toEqual(times.map((_time, index) => times.length - 1 - index));
    const edge = fc.option(fc.nat(edges.length - 1), { nil: undefined });
    const start = fc.option(fc.nat(times.length - 2), { nil: undefined });

    await fc.assert(
      fc.asyncProperty(
        edge,
        edge,
        start,
        fc.constantFrom(1, 2, 3, 7, 1000),
        async (from, to, skipped, limit) => {
          const inWindow = whole.filter((row) => {
            if (from === undefined && to === undefined) return true;
            const isLater = from === undefined || nth(row) >= firstAt(from);
            return isLater && (to === undefined || nth(row) < firstAt(to)) && nth(row) < times.length - 2;
          });
          const window = {
            created_from: from === undefined ? undefined : edges[from],
            created_before: to === undefined ? undefined : edges[to],
          };
          const { next } = await users.list({ limit: 1, offset: skipped ?? 0 });
          const cursor = skipped === undefined || !next ? undefined : encodeCursor(next);

          const listed = await walk(users, { ...window, cursor }, limit);
          const { total } = await users.list(parsePage({ ...window, limit: '1', cursor, total: 'exact' }));

          const behind = skipped === undefined ? whole : whole.slice(skipped + 1);
          expect(listed).toEqual(behind.filter((row) => inWindow.includes(row)));
          expect(total).toBe(inWindow.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('cost as much deep in it as at its beginning, also by a cursor', async () => {
    // One connection: it hands in its own statistics before it is asked for them.
    const { pool, users } = open({ ...(await isolatedServers()), DB_POOL_MAX: '1' });
    await pool.query(
      `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at)
       SELECT 'Jo', 'Doe', nth || '@example.com', 'male', 'male', 'Tester', timestamp '2026-01-01' + nth * interval '1 second'
       FROM generate_series(1, 30000) AS nth`,
      [],
    );
    await pool.query('VACUUM ANALYZE users', []);
    const blocksRead = async (request: PageRequest): Promise<number> => {
      const read = async (): Promise<number> => {
        await pool.query('SELECT pg_stat_force_next_flush()', []);
        const [row] = await pool.query<{ blocks: number }>(
          `SELECT (idx_blks_hit + idx_blks_read + heap_blks_hit + heap_blks_read)::int AS blocks
           FROM pg_statio_user_tables WHERE relname = 'users'`,
          [],
        );
        return Number(row?.blocks);
      };
      const start = await read();
      expect((await users.list(request)).users).toHaveLength(10);
      return (await read()) - start;
    };
    const window = { createdFrom: '2026-01-01T00:00:00Z', createdBefore: '2026-01-01T08:00:00Z' };
    const { next } = await users.list({ ...window, limit: 1, offset: 20_000 });

    const first = await blocksRead({ ...window, limit: 10, offset: 0 });
    const deep = await blocksRead({ ...window, limit: 10, offset: 0, after: next });

    // 7,200 rows, of the index alone: the table has 330 blocks.
    const twoHours = { ...window, createdBefore: '2026-01-01T02:00:00Z' };
    const counted = await blocksRead({ ...twoHours, limit: 10, offset: 0, total: 'exact' });

    expect(first).toBeLessThan(20);
    expect(deep).toBeLessThan(20);
    expect(counted).toBeGreaterThan(first);
    expect(counted).toBeLessThan(100);
  });
});

describe('a count that takes too long', () => {
  it('fails the list that asked for it, within its 3 s; the others go on', async () => {
    const env = await isolatedServers();
    await insertTimes(
      env,
      Array.from({ length: 100 }, () => '2026-11-01'),
    );
    // A view in the place of the table: 50 ms a row, and a page of one row reads two of them.
    await sql(
      env,
      `ALTER TABLE users RENAME TO people;
       CREATE VIEW users AS SELECT * FROM people WHERE pg_sleep(0.05)::text = '';
       ALTER DATABASE ${env['DB_NAME'] ?? ''} SET enable_sort = off`,
    );
    const { users } = open(env);
    const startedAt = performance.now();

    const counting = users.list({ limit: 1, offset: 0, total: 'exact' });

    await expect(counting).rejects.toThrow(UnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(4500);
    expect((await users.list({ limit: 1, offset: 0 })).users).toHaveLength(1);
  });
});

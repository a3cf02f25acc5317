import { RejectedError, UnavailableError } from '../../../src/domain/errors';
import type { PostgresPool } from '../../../src/postgres/pool';
import { PostgresUsers } from '../../../src/postgres/users';

// What lies between the callbacks of two sockets: every microtask and every nextTick.
const callbackOfAnotherSocket = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

describe.each<[string, (users: PostgresUsers, email: string) => Promise<unknown>, unknown[]]>([
  ['isRegistered', (users, email) => users.isRegistered(email), [false, true, false]],
  [
    'findByEmail',
    (users, email) => users.findByEmail(email),
    [undefined, { email: 'b@example.com' }, undefined],
  ],
])('PostgresUsers.%s', (_name, lookUp, expected) => {
  it('asks once for all requests of one turn of the event loop, each in a callback of its own', async () => {
    const asked: unknown[][] = [];
    const pool = {
      query: (_sql: string, values: unknown[]) => {
        asked.push(values);
        return Promise.resolve([{ email: 'b@example.com' }]);
      },
    } as unknown as PostgresPool;
    const users = new PostgresUsers(pool);

    const answers: Promise<unknown>[] = [];
    for (const email of ['a@example.com', 'b@example.com', 'c@example.com']) {
      answers.push(lookUp(users, email));
      await callbackOfAnotherSocket();
    }

    expect(await Promise.all(answers)).toEqual(expected);
    expect(asked).toEqual([[['a@example.com', 'b@example.com', 'c@example.com']]]);
  });

  it('is given up after 500 ms, the wait for an earlier look-up that never ends included', async () => {
    jest.useFakeTimers();
    const pool = { query: () => new Promise(() => undefined) } as unknown as PostgresPool;
    const users = new PostgresUsers(pool);
    const ends: unknown[] = [];
    const ask = (email: string) => lookUp(users, email).catch((error: unknown) => ends.push(error));

    void ask('a@example.com');
    await jest.advanceTimersByTimeAsync(50);
    void ask('b@example.com');
    await jest.advanceTimersByTimeAsync(501);

    jest.useRealTimers();
    expect(ends).toEqual([expect.any(UnavailableError), expect.any(UnavailableError)]);
  });
});

describe('PostgresUsers.isRegistered', () => {
  it('asks for all that has gathered while a look-up was under way, also when that one failed', async () => {
    const asked: { emails: unknown; end: (error?: Error) => void }[] = [];
    const pool = {
      query: (_sql: string, [emails]: unknown[]) =>
        new Promise((resolve, reject) => {
          asked.push({ emails, end: (error) => (error === undefined ? resolve([]) : reject(error)) });
        }),
    } as unknown as PostgresPool;
    const users = new PostgresUsers(pool);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

    const first = users.isRegistered('a@example.com');
    await turn();
    const second = users.isRegistered('b@example.com');
    await turn();
    const third = users.isRegistered('c@example.com');
    await turn();
    expect(asked).toHaveLength(1);

    asked[0]?.end(new Error('connection lost'));
    await expect(first).rejects.toThrow('connection lost');
    await turn();
    expect(asked.map(({ emails }) => emails)).toEqual([
      ['a@example.com'],
      ['b@example.com', 'c@example.com'],
    ]);
    asked[1]?.end();
    expect(await Promise.all([second, third])).toEqual([false, false]);

    const fourth = users.isRegistered('d@example.com');
    await turn();
    expect(asked).toHaveLength(3);
    asked[2]?.end();
    expect(await fourth).toBe(false);
  });

  it('does not wait long for one that is slow, or never ends', async () => {
    const asked: unknown[] = [];
    const pool = {
      query: (_sql: string, [emails]: unknown[]) => {
        asked.push(emails);
        return asked.length === 1 ? new Promise(() => undefined) : Promise.resolve([]);
      },
    } as unknown as PostgresPool;
    const users = new PostgresUsers(pool);
    const first = users.isRegistered('a@example.com');
    await new Promise((resolve) => setImmediate(resolve));

    expect(await users.isRegistered('b@example.com')).toBe(false);

    await expect(first).rejects.toThrow('did not respond');
    expect(await users.isRegistered('c@example.com')).toBe(false);
  });
});

describe('a look-up that is rejected as a whole', () => {
  const poolThatRejects = (sqlState: string, isAtFault: (email: string) => boolean) => {
    let statements = 0;
    const query = (_sql: string, [emails]: unknown[]) => {
      statements += 1;
      const all = emails as string[];
      if (all.some(isAtFault)) return Promise.reject(new RejectedError(sqlState));
      return Promise.resolve(all.filter((email) => email.startsWith('known')).map((email) => ({ email })));
    };
    return { query, count: () => statements };
  };
  const emails = Array.from({ length: 200 }, (_, nth) => `${nth % 2 ? 'known' : 'new'}-${nth}@example.com`);

  it.each([[['漢@example.com']], [['漢@example.com', '字@example.com']]])(
    'falls apart: only %j cannot be told',
    async (bad) => {
      const pool = poolThatRejects('22P05', (email) => bad.includes(email));
      const users = new PostgresUsers(pool as unknown as PostgresPool);

      const ends = await Promise.allSettled([...bad, ...emails].map((email) => users.isRegistered(email)));

      expect(
        ends.slice(0, bad.length).map((end) => end.status === 'rejected' && (end.reason as unknown)),
      ).toEqual(bad.map(() => expect.any(UnavailableError) as unknown));
      expect(ends.slice(bad.length)).toEqual(
        emails.map((_, nth) => ({ status: 'fulfilled', value: nth % 2 === 1 })),
      );
      expect(pool.count()).toBeLessThan(40);
    },
  );

  it.each(['42501', '57014'])('stays whole where no email can be at fault (%s)', async (sqlState) => {
    const pool = poolThatRejects(sqlState, () => true);
    const users = new PostgresUsers(pool as unknown as PostgresPool);

    const ends = await Promise.allSettled(emails.map((email) => users.findByEmail(email)));

    expect(ends.every((end) => end.status === 'rejected' && end.reason instanceof UnavailableError)).toBe(
      true,
    );
    expect(pool.count()).toBe(1);
  });
});

describe('PostgresUsers.list', () => {
  const rejected = (sqlState: string) =>
    new PostgresUsers({
      transaction: () => Promise.reject(new RejectedError(sqlState)),
    } as unknown as PostgresPool).list({ limit: 1, offset: 0 });

  it.each(['42501', '42P01', '57014'])(
    'is unavailable when %s keeps it from being read',
    async (sqlState) => {
      await expect(rejected(sqlState)).rejects.toThrow(UnavailableError);
    },
  );

  it('passes on what can only be a bug', async () => {
    await expect(rejected('P0001')).rejects.toThrow(RejectedError);
  });

  it('leaves most of the pool to look-ups, however many pages take long', async () => {
    const asked: string[] = [];
    const query = (sql: string) => {
      asked.push(sql);
      return sql.includes('OFFSET') ? new Promise(() => undefined) : Promise.resolve([]);
    };
    const transaction = (_timeoutMs: number, work: (run: typeof query) => unknown) => work(query);
    const pool = { query, transaction } as unknown as PostgresPool;
    const users = new PostgresUsers(pool);

    const pages = Array.from({ length: 30 }, () => users.list({ limit: 10, offset: 9_999_999 }));
    const [user] = await Promise.all([
      users.findByEmail('a@example.com'),
      users.isRegistered('a@example.com'),
    ]);

    expect(user).toBeUndefined();
    expect(asked.filter((sql) => sql.includes('OFFSET'))).toHaveLength(4);
    const ends = await Promise.allSettled(pages);
    expect(ends.map(({ status }) => status)).toEqual(pages.map(() => 'rejected'));
  });
});

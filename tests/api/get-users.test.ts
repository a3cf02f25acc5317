import { buildRegistration, buildUser, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { sql, withRedis } from '../support/test-servers';

let service: TestService;

beforeAll(async () => {
  service = await startService();
});

interface Row {
  readonly id: number;
  readonly email: string;
  readonly created_at: string;
}

/** Inserts rows by hand, with these times in this order. */
async function insertRows(times: readonly string[]): Promise<Row[]> {
  const emails = times.map(() => uniqueEmail());
  return (await sql(
    service.env,
    `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at, updated_at)
     SELECT 'John', 'Doe', email, 'non-binary', 'male', 'Tester', time::timestamp, time::timestamp
     FROM unnest($1::text[], $2::text[]) AS r(email, time) RETURNING id, email`,
    [emails, times],
  )) as unknown as Row[];
}

const list = async (query: string): Promise<{ success: boolean; count: number; data: Row[] }> =>
  (await service.http.get(`/api/users${query}`).expect(200)).body as never;

describe('GET /api/users', () => {
  it('answers an empty list while there are no users', async () => {
    await sql(service.env, 'TRUNCATE users');

    expect(await list('')).toEqual({ success: true, count: 0, data: [] });
  });

  it('lists rows newest first, ties by id, in the README’s nine columns', async () => {
    await sql(service.env, 'TRUNCATE users');
    const [old, tie, laterTie, young] = await insertRows([
      '2024-01-01',
      '2024-01-02',
      '2024-01-02',
      '2024-01-03',
    ]);

    const page = await list('');

    expect(page.count).toBe(4);
    expect(page.data.map(({ id }) => id)).toEqual([young?.id, laterTie?.id, tie?.id, old?.id]);
    expect(page.data[3]).toEqual({
      ...buildUser(buildRegistration({ email: old?.email ?? '', occupation: 'Tester' }), old?.id),
      created_at: '2024-01-01T00:00:00.000Z',
      updated_at: '2024-01-01T00:00:00.000Z',
    });
  });

  it('takes limit and offset, 100 and 0 by default', async () => {
    await sql(service.env, 'TRUNCATE users');
    const rows = await insertRows(
      Array.from({ length: 130 }, (_, index) => new Date(index * 1000).toISOString()),
    );
    const newestFirst = rows.map(({ id }) => id).reverse();

    expect((await list('')).data.map(({ id }) => id)).toEqual(newestFirst.slice(0, 100));
    expect((await list('?limit=1000')).count).toBe(130);
    expect((await list('?limit=7&offset=5')).data.map(({ id }) => id)).toEqual(newestFirst.slice(5, 12));
    expect((await list('?offset=129')).data.map(({ id }) => id)).toEqual(newestFirst.slice(129));
    expect(await list('?offset=2147483647')).toEqual({ success: true, count: 0, data: [] });
  });

  it('leads from page to page without skipping or repeating a row, ties and new rows included', async () => {
    await sql(service.env, 'TRUNCATE users');
    const tie = '2024-01-01 12:00:00.123456';
    // The newest has the lowest id: the order is by time, not by id.
    const newest = await insertRows(['2024-01-01 12:00:00.123457']);
    const ties = await insertRows(Array.from({ length: 300 }, () => tie));
    const oldest = await insertRows(['2024-01-01 12:00:00.123455']);
    const expected = [...newest, ...ties.reverse(), ...oldest].map(({ id }) => id);

    const older: Row[] = [];
    const seen: number[] = [];
    let path: string | undefined = '/api/users?limit=7';
    while (path !== undefined) {
      const response: { body: unknown; headers: Record<string, string> } = await service.http.get(path);
      const { body, headers } = response;
      seen.push(...(body as { data: Row[] }).data.map(({ id }) => id));
      // Newer ones, one more of the same time, which is before them in the list, and an older one.
      await insertRows(['2025-01-01', tie]);
      older.push(...(await insertRows(['2024-01-01 12:00:00.123454'])));
      path = /^<(.+)>; rel="next"$/.exec(headers['link'] ?? '')?.[1];
    }

    expect(seen.slice(0, expected.length)).toEqual(expected);
    expect(new Set(seen).size).toBe(seen.length);
    expect(older.map(({ id }) => id)).toEqual(expect.arrayContaining(seen.slice(expected.length)));
  });

  const walk = async (limit: number): Promise<Row[]> => {
    const rows: Row[] = [];
    let path: string | undefined = `/api/users?limit=${limit}`;
    while (path !== undefined && rows.length < 100) {
      const response: { body: unknown; headers: Record<string, string> } = await service.http
        .get(path)
        .expect(200);
      rows.push(...(response.body as { data: Row[] }).data);
      path = /^<(.+)>; rel="next"$/.exec(response.headers['link'] ?? '')?.[1];
    }
    return rows;
  };

  it.each([1, 2])('pages every time that PostgreSQL can hold, each row once (limit=%i)', async (limit) => {
    await sql(service.env, 'TRUNCATE users');
    const times = [
      ['-infinity', '-infinity'],
      ['4714-11-24 00:00:00 BC', '-004713-11-24T00:00:00.000Z'],
      ['0044-03-15 12:00:00.123456 BC', '-000043-03-15T12:00:00.123Z'],
      ['0001-12-31 23:59:59.999999 BC', '+000000-12-31T23:59:59.999Z'],
      ['0001-01-01', '0001-01-01T00:00:00.000Z'],
      ['1969-12-31 23:59:59.999999', '1969-12-31T23:59:59.999Z'],
      ['2300-01-01 00:00:00.000001', '2300-01-01T00:00:00.000Z'],
      ['9999-12-31 23:59:59.999999', '9999-12-31T23:59:59.999Z'],
      ['10000-01-01', '+010000-01-01T00:00:00.000Z'],
      ['294276-12-31 23:59:59.999999', '+294276-12-31T23:59:59.999Z'],
      ['infinity', 'infinity'],
    ] as const;
    const ids = (await insertRows(times.flatMap(([time]) => [time, time]))).map(({ id }) => id);

    const rows = await walk(limit);

    expect(rows.map(({ id }) => id)).toEqual(ids.reverse());
    expect(rows.map(({ created_at: createdAt }) => createdAt)).toEqual(
      times.flatMap(([, text]) => [text, text]).reverse(),
    );
  });

  it('goes on when the ids have become bigints: they stay numbers, and its own links work', async () => {
    const own = await startService();
    await sql(
      own.env,
      'ALTER TABLE users ALTER COLUMN id TYPE bigint; ALTER SEQUENCE users_id_seq AS bigint',
    );
    await sql(own.env, `SELECT setval('users_id_seq', 2147483647)`);
    const registrations = Array.from({ length: 3 }, () => buildRegistration());
    for (const each of registrations) await own.http.post('/api/users').send(each).expect(201);
    await eventually(async () => expect(await sql(own.env, 'SELECT FROM users')).toHaveLength(3));
    const ids: number[] = [];
    let path: string | undefined = '/api/users?limit=1';
    while (path !== undefined) {
      const response: { body: unknown; headers: Record<string, string> } = await own.http
        .get(path)
        .expect(200);
      ids.push(...(response.body as { data: Row[] }).data.map(({ id }) => id));
      path = /^<(.+)>; rel="next"$/.exec(response.headers['link'] ?? '')?.[1];
    }

    // Different partitions: which one is stored first is open.
    expect(ids.sort((a, b) => b - a)).toEqual([2147483650, 2147483649, 2147483648]);
    for (const { email } of registrations) {
      const cached = await withRedis(own.env, (redis) => redis.get(`user:completed:${email}`));
      const { body } = await own.http.get(`/api/users/${email}`).expect(200);
      expect(JSON.parse(cached ?? '')).toMatchObject({ id: (body as { data: Row }).data.id });
      expect((body as { data: Row }).data.id).toBeGreaterThan(2147483647);
    }
    await own.stop();
  });

  it('names no next page after the last one', async () => {
    await sql(service.env, 'TRUNCATE users');
    await insertRows(['2024-01-01', '2024-01-02']);

    expect((await service.http.get('/api/users?limit=2')).headers['link']).toBeUndefined();
    expect((await service.http.get('/api/users?limit=1')).headers['link']).toMatch(
      /^<\/api\/users\?limit=1&/,
    );
  });

  describe('of a window', () => {
    const times = [
      '2026-10-31T23:59:59.999999',
      '2026-11-01',
      '2026-11-01',
      '2026-11-01T00:00:00.000001',
      '2026-12-01',
    ];
    const NOVEMBER = 'created_from=2026-11-01T00:00:00Z&created_before=2026-12-01T01:00:00%2B01:00';
    let ids: number[];
    const get = async (query: string) => {
      const { body, headers } = await service.http.get(`/api/users?${query}`).expect(200);
      return {
        ids: (body as { data: Row[] }).data.map(({ id }) => id),
        headers: headers as Record<string, string>,
      };
    };

    beforeAll(async () => {
      await sql(service.env, 'TRUNCATE users');
      ids = (await insertRows(times)).map(({ id }) => id).reverse();
    });

    it('begins with created_from, ends before created_before, to the microsecond', async () => {
      expect((await get(NOVEMBER)).ids).toEqual(ids.slice(1, 4));
      expect((await get('created_from=2026-11-01T00:00:00.000001Z')).ids).toEqual(ids.slice(0, 2));
      expect((await get('created_before=2026-11-01T00:00:00Z')).ids).toEqual(ids.slice(4));
      expect(
        (await get('created_from=2026-12-02T00:00:00Z&created_before=2026-11-01T00:00:00Z')).ids,
      ).toEqual([]);
    });

    it('goes on from link to link in its window, without the count', async () => {
      const first = await get(`${NOVEMBER}&limit=1&total=exact`);
      const pages = [first];
      for (let link = first.headers['link']; link !== undefined; link = pages.at(-1)?.headers['link'])
        pages.push(await get(/^<\/api\/users\?(.+)>; rel="next"$/.exec(link)?.[1] ?? 'limit=0'));

      expect(pages.map((page) => page.ids)).toEqual([[ids[1]], [ids[2]], [ids[3]]]);
      expect(first.headers['link']).toMatch(
        /&created_from=2026-11-01T00:00:00.000000Z&created_before=2026-12-01T00:00:00.000000Z>; rel="next"$/,
      );
      expect(pages.map(({ headers }) => headers['x-total-count'])).toEqual(['3', undefined, undefined]);
    });

    it('takes a cursor of another window as a position in its own', async () => {
      const cursorAfter = async (count: number): Promise<string> =>
        /cursor=([\w-]+)/.exec((await get(`limit=${count}`)).headers['link'] ?? '')?.[1] ?? '';

      expect((await get(`${NOVEMBER}&cursor=${await cursorAfter(1)}`)).ids).toEqual(ids.slice(1, 4));
      expect((await get(`${NOVEMBER}&cursor=${await cursorAfter(2)}`)).ids).toEqual(ids.slice(2, 4));
      expect((await get(`created_from=2026-12-01T00:00:00Z&cursor=${await cursorAfter(1)}`)).ids).toEqual([]);
    });

    it('counts its users, or all, for HEAD, too, wherever the page begins', async () => {
      const total = async (query: string) => (await get(`total=exact&${query}`)).headers['x-total-count'];

      expect(await total('limit=2')).toBe('5');
      expect(await total(`${NOVEMBER}&offset=2`)).toBe('3');
      expect(await total('created_from=2027-01-01T00:00:00Z')).toBe('0');
      expect((await service.http.head('/api/users?total=exact')).headers).toHaveProperty(
        'x-total-count',
        '5',
      );
    });

    it.each([
      ['created_from', '2026-11-01', 'a time such as 2026-11-01T00:00:00Z'],
      ['created_from', '2026-11-01T00:00:00+01:00', 'a time such as 2026-11-01T00:00:00Z'],
      [
        'created_from',
        '2026-11-01T00:00:00Z&created_from=2026-11-01T00:00:00Z',
        'a time such as 2026-11-01T00:00:00Z',
      ],
      ['created_before', '2026-02-30T00:00:00Z', 'a time such as 2026-11-01T00:00:00Z'],
      ['created_before', '', 'a time such as 2026-11-01T00:00:00Z'],
      ['total', 'estimate', 'exact, or absent'],
    ])('rejects %s=%s', async (name, value, rule) => {
      const url = `/api/users?${name}=${value}`;
      const message = `${name} must be ${rule}`;

      const plain = await service.http.get(url).expect(400);
      const problem = await service.http.get(url).set('Accept', 'application/problem+json').expect(400);

      expect(plain.body).toEqual({ success: false, error: `Validation error: ${message}` });
      expect(problem.body).toMatchObject({ code: 'validation_failed', errors: [{ field: name, message }] });
    });
  });

  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  it.each([
    '',
    'x',
    '%00',
    'a'.repeat(5000),
    encode('1'),
    encode('1,2,3'),
    encode('1,9007199254740992'),
    encode('Infinity,1'),
    encode('a,b'),
    encode('-0,1'),
    encode('01,1'),
    encode('9224318016000000000,1'),
    encode('-210866803200000001,1'),
    encode('0,-9007199254740992'),
    `${encode('1,2')}=`,
    `${encode('1,2')}!`,
  ])('rejects the cursor %j', async (cursor) => {
    const response = await service.http.get(`/api/users?cursor=${cursor}`);

    expect(response.body).toEqual({
      success: false,
      error: 'Validation error: cursor must be one that a Link header of this list gave',
    });
    expect(response.status).toBe(400);
  });

  it('takes every cursor that could be one', async () => {
    for (const cursor of [
      '0,0',
      '-1,1',
      ',1',
      '9224318015999999999,9007199254740991',
      '-210866803200000000,-9007199254740991',
      'infinity,1',
      '-infinity,1',
    ]) {
      await service.http.get(`/api/users?cursor=${encode(cursor)}`).expect(200);
    }
  });

  const badNumbers = ['', '%20', ...'abc -1 1.5 1e3 +1 0x10 1,2 NaN ١ 2147483648'.split(' '), '9'.repeat(20)];
  it.each(
    badNumbers
      .flatMap((value) => [`limit=${value}`, `offset=${value}`])
      .concat('limit=0', 'limit=1001', 'limit=1&limit=2', 'offset=1&offset=1'),
  )('rejects %s', async (query) => {
    const name = query.split('=')[0] ?? '';
    const range = name === 'limit' ? 'from 1 to 1000' : 'from 0 to 2147483647';

    const response = await service.http.get(`/api/users?${query}`);

    expect(response.body).toEqual({
      success: false,
      error: `Validation error: ${name} must be a whole number ${range}`,
    });
    expect(response.status).toBe(400);
  });

  it('ignores parameters it does not know, bad percent-encoding included', async () => {
    expect((await list('?foo=bar&limit=1&x=%zz&__proto__=1')).success).toBe(true);
  });

  it('answers HEAD without a body', async () => {
    const response = await service.http.head('/api/users').expect(200);

    expect(response.text).toBeUndefined();
  });
});

describe('GET /api/users/:email', () => {
  it('answers the row, whatever the case of the path, and fills the cache', async () => {
    const [row] = await insertRows(['2024-01-01 12:34:56.789']);
    const email = row?.email ?? '';

    const response = await service.http.get(`/api/users/${email.toUpperCase()}`).expect(200);

    const user = {
      ...buildUser(buildRegistration({ email, occupation: 'Tester' }), row?.id),
      created_at: '2024-01-01T12:34:56.789Z',
      updated_at: '2024-01-01T12:34:56.789Z',
    };
    expect(response.body).toEqual({ success: true, data: user });
    await eventually(() =>
      withRedis(service.env, async (redis) => {
        expect(JSON.parse((await redis.get(`user:completed:${email}`)) ?? 'null')).toEqual(user);
      }),
    );
  });

  it('answers from the cache first', async () => {
    const cached = buildUser(buildRegistration(), 4711);
    await withRedis(service.env, (redis) =>
      redis.set(`user:completed:${cached.email}`, JSON.stringify(cached)),
    );

    const response = await service.http.get(`/api/users/${cached.email}`).expect(200);

    expect(response.body).toEqual({ success: true, data: cached });
  });

  it.each(['{broken', 'null', '[]', '5', JSON.stringify(buildUser())])(
    'goes to the table when the cache holds %s',
    async (entry) => {
      const [row] = await insertRows(['2024-01-01']);
      await withRedis(service.env, (redis) => redis.set(`user:completed:${row?.email ?? ''}`, entry));

      const response = await service.http.get(`/api/users/${row?.email ?? ''}`).expect(200);

      expect(response.body).toMatchObject({ data: { id: row?.id } });
    },
  );

  it('answers 404 for an unknown email', async () => {
    const response = await service.http.get(`/api/users/${uniqueEmail()}`).expect(404);

    expect(response.body).toEqual({ success: false, error: 'User not found' });
  });

  it('answers 404 while the registration is pending', async () => {
    const email = uniqueEmail();
    await withRedis(service.env, (redis) => redis.set(`user:pending:${email}`, '{}'));

    await service.http.get(`/api/users/${email}`).expect(404);
  });

  it.each(['john', 'john@localhost', '%00', 'a%20b@example.com', 'a%2Fb', '%F0%9F%98%80'])(
    'answers 400 for %s',
    async (text) => {
      const response = await service.http.get(`/api/users/${text}`).expect(400);

      expect(response.body).toMatchObject({
        success: false,
        error: expect.stringMatching(/^Validation error: email /),
      });
    },
  );

  it.each(['%zz', '%', '%E0%A4%A', '%ff'])('answers 400 for the bad percent-encoding %s', async (text) => {
    const response = await service.http.get(`/api/users/${text}`).expect(400);

    expect(response.body).toEqual({ success: false, error: 'Malformed percent-encoding in the path' });
  });

  it('treats SQL in the path as text', async () => {
    await service.http
      .get(`/api/users/${encodeURIComponent("'; DROP TABLE users; --@example.com")}`)
      .expect(400);
    await service.http.get(`/api/users/${encodeURIComponent("'or'1'='1@example.com")}`).expect(404);
  });
});

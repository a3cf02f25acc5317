import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { parse } from 'csv-parse/sync';
import { loadConfig } from '../../src/config/config';
import type { CreatedWindow, PageCursor } from '../../src/domain/pagination';
import type { User } from '../../src/domain/stored-user';
import { PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import { RecordingLogger } from '../support/recording-logger';
import { childEnv, runEntryPoint } from '../support/service-process';
import { isolatedServers, sql, type Env } from '../support/test-servers';
import { exportUsers } from '../support/tool-run';

/** Rows by hand: many of one time, some without, and with all that a file format may trip over. */
async function insertRows(env: Env, count: number): Promise<void> {
  await sql(
    env,
    `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at)
     SELECT names[1 + nth % cardinality(names)], 'Doe, "J"', nth || '@example.com', 'male', 'male', 'Tester',
       CASE WHEN nth % 100 = 0 THEN NULL WHEN nth % 101 = 0 THEN 'infinity' ELSE timestamp '2026-11-01' + nth / 7 * interval '1.000001 s' END
     FROM generate_series(1, $1::int) AS nth, (SELECT $2::text[] AS names) AS given`,
    [
      count,
      [
        '=1+1',
        '+49',
        '-1',
        '@a',
        '\tx',
        '\rx',
        'a\nb',
        'a\r\nb',
        'Zoë 😀',
        'a\u202eb\u2028c',
        "'",
        '"',
        '\\',
        ' ',
      ],
    ],
  );
}

/** The list, as the API returns it. */
async function listed(window: CreatedWindow = {}): Promise<User[]> {
  const rows: User[] = [];
  let after: PageCursor | undefined;
  do {
    const page = await users.list({ ...window, limit: 700, offset: 0, after });
    rows.push(...page.users);
    after = page.next;
  } while (after !== undefined);
  return rows;
}

const usersIn = (ndjson: string): unknown[] =>
  ndjson
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
const cursorIn = (stderr: string): string => /--cursor (\S+) goes on\n/.exec(stderr)?.[1] ?? 'none';

let env: Env;
let pool: PostgresPool;
let users: PostgresUsers;
let all: User[];

beforeAll(async () => {
  env = await isolatedServers();
  const config = loadConfig(env).postgres;
  pool = new PostgresPool({ config, state: { isUnavailable: false }, log: new RecordingLogger() });
  users = new PostgresUsers(pool);
  await insertRows(env, 3500);
  all = await listed();
});

afterAll(() => pool.stop());

describe('export', () => {
  it('writes the list, a user a line', async () => {
    const { code, stdout, stderr } = await exportUsers(env);

    expect(code).toBe(0);
    expect(usersIn(stdout)).toEqual(all);
    expect(all).toHaveLength(3500);
    expect(stderr).toMatch(/^1000 users exported, up to --cursor \S+\n(.+\n)*3500 users exported\n$/);
  });

  it('writes CSV, which a parser reads back as the list', async () => {
    const { stdout } = await exportUsers(env, '--format csv --raw');

    const rows: object[] = parse(stdout, { columns: true, record_delimiter: '\r\n' });
    const texts = all.map((user) =>
      Object.entries(user).map(([name, value]) => [name, String((value as string | number | null) ?? '')]),
    );
    expect(rows).toEqual(texts.map((entries) => Object.fromEntries(entries) as object));
  });

  it('marks cells that a spreadsheet would run', async () => {
    const { stdout } = await exportUsers(env, '--format csv');

    const rows: string[][] = parse(stdout, { record_delimiter: '\r\n' });
    expect(new Set(rows.slice(1).map(([, firstName = '']) => firstName))).toEqual(
      new Set([
        "'=1+1",
        "'+49",
        "'-1",
        "'@a",
        "'\tx",
        "'\rx",
        'a\nb',
        'a\r\nb',
        'Zoë 😀',
        'a\u202eb\u2028c',
        "'",
        '"',
        '\\',
        ' ',
      ]),
    );
  });

  it('writes a window', async () => {
    const [from, before] = ['2026-11-01T00:01:00.00006Z', '2026-11-01T00:03:00.00018Z'];

    const { stdout } = await exportUsers(env, `--created-from ${from} --created-before ${before}`);

    const window = await listed({ createdFrom: from, createdBefore: before });
    expect(usersIn(stdout)).toEqual(window);
    expect(
      window
        .map(({ email }) => Number.parseInt(email, 10) / 7)
        .map(Math.floor)
        .sort((a, b) => a - b),
    ).toEqual(expect.arrayContaining([60, 179]));
    expect(
      await exportUsers(env, `--created-from ${before} --created-before ${from} --format csv`),
    ).toMatchObject({
      stdout: 'id,first_name,last_name,email,gender,sex,occupation,created_at,updated_at\r\n',
      stderr: '0 users exported\n',
    });
  });

  it('reads on only when a page is written: memory holds one', async () => {
    let unwritten = 0;
    const pages: number[] = [];

    await exportUsers(env, '', async (stream, text) => {
      if (stream === 'stderr' || text === '') return;
      pages.push((unwritten += 1));
      // A reader that takes its time: the next page could be read several times over.
      await listed();
      unwritten -= 1;
    });

    expect(pages).toEqual([1, 1, 1, 1]);
  });

  it('stops after a page when it is told to, and goes on from there', async () => {
    const stop = new AbortController();

    const first = await exportUsers(
      env,
      '--format csv',
      (stream, text) => stream === 'stdout' && text.length > 1000 && stop.abort(),
      stop.signal,
    );
    const second = await exportUsers(env, `--format csv --cursor ${cursorIn(first.stderr)}`);

    expect(first).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/\nCannot export: stopped by a signal\n$/),
    });
    expect(first.stdout + second.stdout).toBe((await exportUsers(env, '--format csv')).stdout);
  });
});

describe('export as a process', () => {
  const start = () =>
    spawn(process.execPath, ['--import', 'tsx', 'src/tools/export.ts'], { env: childEnv(env) });

  it('loses and repeats no user when it is killed and goes on', async () => {
    const child = start();
    let [stdout, stderr] = ['', ''];
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      child.kill('SIGTERM');
    });
    const [code] = (await once(child, 'close')) as [number | null];

    const { stdout: rest } = await runEntryPoint('src/tools/export.ts', env, ['--cursor', cursorIn(stderr)]);

    expect(code).toBe(1);
    expect(usersIn(stdout).length).toBeLessThan(all.length);
    expect(usersIn(stdout + rest)).toEqual(all);
  });

  it('ends quietly when its reader is gone', async () => {
    const child = start();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.once('data', () => child.stdout.destroy());

    expect(await once(child, 'close')).toEqual([0, null]);
    expect(stderr).not.toContain('Cannot');
  });
});

describe('export without PostgreSQL', () => {
  /** PostgreSQL behind a door that can be shut. */
  async function startDoor() {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      const upstream = connect(Number(env['DB_PORT']), env['DB_HOST'] ?? '');
      for (const each of [socket, upstream]) sockets.add(each.on('error', () => undefined));
      socket.pipe(upstream).pipe(socket);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const shut = (): void => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    };
    const reopen = (): unknown => server.listen(port, '127.0.0.1');
    return { env: { ...env, DB_HOST: '127.0.0.1', DB_PORT: String(port) }, shut, reopen };
  }

  it('goes on when it is back within 10 s', async () => {
    const door = await startDoor();
    let isShut = false;

    const { code, stdout } = await exportUsers(door.env, '', (stream, text) => {
      if (stream === 'stdout' && text !== '' && !isShut) door.shut();
      if (stream === 'stdout' && text !== '') isShut = true;
      if (text.includes('trying again')) door.reopen();
    });
    door.shut();

    expect(code).toBe(0);
    expect(usersIn(stdout)).toEqual(all);
  });

  it('stops after 10 s with the cursor to go on from', async () => {
    const door = await startDoor();
    const startedAt = performance.now();

    const first = await exportUsers(door.env, '', (_stream, text) => text !== '' && door.shut());
    const tookMs = performance.now() - startedAt;
    const second = await exportUsers(env, `--cursor ${cursorIn(first.stderr)}`);

    expect(first.code).toBe(1);
    expect(first.stderr).toMatch(/\nCannot export: PostgreSQL is unavailable: .*ECONNREFUSED.*\n$/);
    expect(tookMs).toBeGreaterThan(9900);
    expect(tookMs).toBeLessThan(15_000);
    expect(usersIn(first.stdout + second.stdout)).toEqual(all);
  });

  it('says in one line what is wrong with the command line', async () => {
    expect(await exportUsers(await isolatedServers(), '--created-from yesterday')).toEqual({
      code: 2,
      stdout: '',
      stderr: '--created-from must be a time such as 2026-11-01T00:00:00Z (--help shows how to use it)\n',
    });
  });
});

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { hintFor } from '../../../src/observability/hint';
import { RedisConnection } from '../../../src/redis/connection';
import { RecordingLogger } from '../../support/recording-logger';

/** What a server says to one command, in RESP; undefined for what a Redis 7 would say. */
type Answer = (name: string, args: readonly string[]) => string | undefined;

const error = (message: string): string => `-${message}\r\n`;
const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const INFO = '# Memory\r\nmaxmemory_policy:noeviction\r\n# Cluster\r\ncluster_enabled:0\r\n';

const redis7: Readonly<Record<string, string>> = {
  hello: `%1\r\n${bulk('server')}${bulk('redis')}`,
  info: bulk(INFO),
  exists: ':1\r\n',
  del: ':1\r\n',
};

const ends: (() => unknown)[] = [];
const commands: string[][] = [];

afterEach(async () => {
  jest.restoreAllMocks();
  for (const end of ends.splice(0).reverse()) await end();
  commands.length = 0;
});

/** Listens, and hands over each connection; its port. */
async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket.on('error', () => undefined)));
  ends.push(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that answers as Redis 7 but for what `answer` says; its port. */
function serve(answer: Answer): Promise<number> {
  const onData = (socket: Socket, data: Buffer): void => {
    const [, ...parts] = data.toString().split(/(?:^|\r\n)\*\d+\r\n/);
    for (const part of parts) {
      const words = part.split(/(?:^|\r\n)\$\d+\r\n/).slice(1);
      const [name = '', ...args] = words.map((word) => word.replace(/\r\n$/, ''));
      commands.push([name, ...args]);
      socket.write(answer(name, args) ?? redis7[name] ?? '+OK\r\n');
    }
  };
  return listen(createServer((socket) => socket.on('data', (data) => onData(socket, data))));
}

function connect(url: string) {
  const log = new RecordingLogger();
  const connection = new RedisConnection({ url, state: { isUnavailable: false }, log });
  connection.start();
  ends.push(() => connection.stop());
  return { connection, log };
}

/** The hint of the first check that has one. */
async function hintOf(url: string): Promise<string | undefined> {
  const { connection } = connect(url);
  for (let checks = 0; checks < 3; checks += 1) {
    const problem: unknown = await connection.check().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const hint = hintFor('redis', problem);
    if (problem === undefined || hint !== undefined) return hint;
  }
  throw new Error('no check succeeded, and none had a hint');
}

/** Says so to this command, in whichever case. */
const rejecting =
  (command: string, message: string): Answer =>
  (name) =>
    name === command ? error(message) : undefined;

describe('RedisConnection.check', () => {
  it('succeeds with a Redis 7, after one pipeline of what the service uses', async () => {
    const port = await serve(() => undefined);

    expect(await hintOf(`redis://127.0.0.1:${port}/3`)).toBeUndefined();
    const used = new Set(commands.map(([name]) => name));
    expect([...used]).toEqual(
      expect.arrayContaining(['select', 'info', 'set', 'get', 'exists', 'del', 'eval', 'evalsha']),
    );
    const keys = commands.flatMap(([name, key = '', , third = '']) =>
      /^eval/.test(name ?? '') ? [third] : [key],
    );
    expect(keys).toEqual(expect.arrayContaining(['user:check', 'idempotency:check', 'rate-limit:check']));
  });

  const notPermitted = "NOPERM User service has no permissions to run the 'evalsha' command";
  it.each<[string, Answer, RegExp]>([
    ['Redis 6.2', rejecting('set', 'ERR syntax error'), /version 7/],
    ['no scripts', rejecting('eval', "ERR unknown command 'eval', with args beginning with: 'x'"), /proxy/],
    [
      'a renamed command',
      rejecting('del', "ERR unknown command 'del', with args beginning with: 'x'"),
      /Redis 7 itself/,
    ],
    [
      'a Sentinel',
      (name) =>
        redis7[name] === undefined || name === 'del' ? error(`ERR unknown command '${name}'`) : undefined,
      /Sentinel/,
    ],
    ['a forbidden command', rejecting('evalsha', notPermitted), /allowed/],
    [
      'a forbidden command in a script',
      rejecting(
        'eval',
        "ERR The user executing the script can't run this command or subcommand script: 0a, on @user_script:1.",
      ),
      /allowed/,
    ],
    ['a node that moved a slot', rejecting('set', 'MOVED 866 10.0.0.2:6379'), /REDIS_CLUSTER=true/],
    ['a node without all slots', rejecting('eval', 'CLUSTERDOWN Hash slot not served'), /CLUSTER INFO/],
    [
      'no database in a cluster',
      rejecting('select', 'ERR SELECT is not allowed in cluster mode'),
      /REDIS_CLUSTER=true/,
    ],
    ['a database that is not there', rejecting('select', 'ERR DB index is out of range'), /database/],
    [
      'a database that is forbidden',
      rejecting('select', "NOPERM User service can't run 'select'"),
      /allowed/,
    ],
    [
      'no password',
      rejecting('hello', 'NOAUTH HELLO must be called with the client already authenticated'),
      /password/,
    ],
    [
      'protected mode',
      rejecting('hello', 'DENIED Redis is running in protected mode because protected mode is enabled'),
      /protected mode/,
    ],
    ['no connection left', rejecting('hello', 'ERR max number of clients reached'), /maxclients/],
    ['loading', rejecting('set', 'LOADING Redis is loading the dataset in memory'), /loading/],
    ['a script that does not end', rejecting('set', 'BUSY Redis is busy running a script.'), /SCRIPT KILL/],
    ['a replica', rejecting('set', "READONLY You can't write against a read only replica."), /primary/],
    [
      'a replica without its primary',
      rejecting('get', "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
      /primary/,
    ],
    [
      'too few replicas',
      rejecting('set', 'NOREPLICAS Not enough good replicas to write.'),
      /min-replicas-to-write/,
    ],
    [
      'a full memory',
      rejecting('set', "OOM command not allowed when used memory > 'maxmemory'."),
      /maxmemory/,
    ],
    ['a full disk', rejecting('eval', 'MISCONF Redis is configured to save RDB snapshots'), /disk/],
    ['an HTTP server', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', /something else/],
  ])('fails with a hint: %s', async (_what, answer, hint) => {
    const port = await serve(answer);

    expect((await hintOf(`redis://127.0.0.1:${port}/3`)) ?? '').toMatch(hint);
  });

  it.each(['ERR DB index is out of range', "NOPERM User service can't run 'select'", 'ERR unknown command'])(
    'never works in another database than the one that REDIS_URL names: %s',
    async (message) => {
      const port = await serve(rejecting('select', message));
      const { connection } = connect(`redis://127.0.0.1:${port}/99`);

      for (let checks = 0; checks < 2; checks += 1) await expect(connection.check()).rejects.toThrow(message);
      await expect(connection.run(200, (redis) => redis.set('user:pending:a', ''))).rejects.toThrow();

      const used = commands.map(([name]) => name);
      expect(used).toContain('select');
      expect(used.filter((name) => !['hello', 'select', 'client', 'info'].includes(name ?? ''))).toEqual([]);
    },
  );

  it('fails with a hint for a node of a cluster, whichever slots it has', async () => {
    const port = await serve((name) =>
      name === 'info' ? bulk(INFO.replace('cluster_enabled:0', 'cluster_enabled:1')) : undefined,
    );

    expect(await hintOf(`redis://127.0.0.1:${port}`)).toMatch(/^set REDIS_CLUSTER=true/);
  });

  it('fails with a hint for a server that greets, as those of other protocols do', async () => {
    const port = await listen(createServer((socket) => socket.write('220 mail.example.com ESMTP\r\n')));

    expect(await hintOf(`redis://127.0.0.1:${port}`)).toMatch(/something else/);
  });

  // What OpenSSL answers, and what Redis does.
  it.each<[string, (socket: Socket) => unknown]>([
    ['says why', (socket) => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46]))],
    ['closes the connection', (socket) => socket.end()],
    ['resets it', (socket) => socket.resetAndDestroy()],
  ])('fails with a hint for a port with TLS that is used without, and %s', async (_what, respond) => {
    const port = await listen(createServer((socket) => socket.once('data', () => respond(socket))));

    expect(await hintOf(`redis://127.0.0.1:${port}`)).toMatch(/begin with rediss:/);
  });

  it('fails with a hint for a port without TLS that is used with it, and waits for more', async () => {
    const port = await listen(createServer());

    expect(await hintOf(`rediss://127.0.0.1:${port}`)).toMatch(/begin with redis:/);
  });

  it('gives no hint for a server that stays silent: waiting may help', async () => {
    const port = await listen(createServer());
    const { connection } = connect(`redis://127.0.0.1:${port}`);

    for (const check of [connection.check(), connection.check()]) {
      const problem = await check.catch((reason: unknown) => reason);
      expect(hintFor('redis', problem)).toBeUndefined();
    }
  });
});

describe('a Redis that may evict keys', () => {
  const withPolicy =
    (policy: string): Answer =>
    (name) =>
      name === 'info' ? bulk(INFO.replace('noeviction', policy)) : undefined;

  it.each(['allkeys-lru', 'volatile-ttl', 'volatile-lru'])('is named once: %s', async (policy) => {
    const port = await serve(withPolicy(policy));
    const { connection, log } = connect(`redis://127.0.0.1:${port}`);

    await connection.check();
    await connection.check();

    expect(connection.mayEvict).toBe(true);
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('noeviction') as string, policy }),
    ]);
  });

  it.each([
    ['with noeviction', withPolicy('noeviction')],
    ['where INFO holds no policy', (name: string) => (name === 'info' ? bulk('# Server') : undefined)],
    ['where INFO is not allowed', rejecting('info', 'NOPERM no INFO')],
  ])('is none %s', async (_what, answer) => {
    jest.spyOn(console, 'warn').mockImplementation(); // ioredis says that INFO fails.
    const port = await serve(answer);
    const { connection, log } = connect(`redis://127.0.0.1:${port}`);

    await connection.check();

    expect(connection.mayEvict).toBe(false);
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});

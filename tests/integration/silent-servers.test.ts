import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { loadConfig } from '../../src/config/config';
import { UnavailableError } from '../../src/domain/errors';
import { applyMigrations } from '../../src/postgres/migrations';
import { PostgresPool } from '../../src/postgres/pool';
import { RedisConnection } from '../../src/redis/connection';
import { eventually } from '../support/eventually';
import { RecordingLogger } from '../support/recording-logger';
import { connectRedis } from '../support/redis-connection';
import { runEntryPoint } from '../support/service-process';
import { isolatedServers, sharedServers, type Env } from '../support/test-servers';
import { dlq, reconcile } from '../support/tool-run';

const state = { isUnavailable: false };
const servers: Server[] = [];
const sockets: Socket[] = [];
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  sockets.splice(0).forEach((socket) => socket.destroy());
  servers.splice(0).forEach((server) => server.close());
});

async function listen(onConnection: (socket: Socket, nth: number) => void): Promise<number> {
  let connections = 0;
  // A frozen process leaves a connection half open when the client closes it.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onConnection(socket, (connections += 1));
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Passes everything on until the client has sent `lastWords`; from then on nothing moves any more, as in a frozen server. */
async function freezeAfter(lastWords: string, host: string, port: number) {
  const proxy = { port: 0, isFrozen: false, isLeft: false };
  proxy.port = await listen((socket) => {
    const upstream = connect(port, host);
    sockets.push(upstream);
    upstream.on('data', (bytes) => !proxy.isFrozen && socket.write(bytes));
    socket.on('data', (bytes: Buffer) => {
      proxy.isFrozen ||= bytes.includes(lastWords);
      if (!proxy.isFrozen) upstream.write(bytes);
    });
    socket.on('end', () => (proxy.isLeft = true));
  });
  return proxy;
}

async function freezingRedis(env: Env) {
  const { hostname, port, pathname } = new URL(env['REDIS_URL'] ?? '');
  const proxy = await freezeAfter('quit', hostname, Number(port));
  return { proxy, url: `redis://127.0.0.1:${proxy.port}${pathname}` };
}

describe('a Redis that freezes while its connection is closed', () => {
  it('is left after a moment', async () => {
    const { proxy, url } = await freezingRedis(sharedServers());
    const connection = await connectRedis({ REDIS_URL: url });

    await connection.stop();

    expect(proxy.isFrozen).toBe(true);
    await eventually(() => expect(proxy.isLeft).toBe(true));
  });

  it('does not hold up a tool', async () => {
    const env = await isolatedServers();
    const { proxy, url } = await freezingRedis(env);

    expect(await reconcile({ ...env, REDIS_URL: url })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^0 pending keys/),
    });
    expect(proxy.isFrozen).toBe(true);
  });
});

describe('a PostgreSQL that freezes while the connection of a migration is closed', () => {
  it('does not hold it up', async () => {
    const env = await isolatedServers();
    const terminate = 'X\0\0\0\u0004';
    const proxy = await freezeAfter(terminate, env['DB_HOST'] ?? '', Number(env['DB_PORT']));

    expect(
      await runEntryPoint('src/migrate.ts', { ...env, DB_HOST: '127.0.0.1', DB_PORT: String(proxy.port) }),
    ).toEqual({ code: 0, stdout: 'Nothing to apply: up to date\n', stderr: '' });
    expect(proxy.isFrozen).toBe(true);
  });
});

describe('a server that freezes while a tool waits for it', () => {
  it('ends the tool with one line within 15 s: PostgreSQL in a migration, Redis in its scan, Kafka at once', async () => {
    const env = await isolatedServers();
    const { hostname, port, pathname } = new URL(env['REDIS_URL'] ?? '');
    const postgres = await freezeAfter('pg_advisory_xact_lock', env['DB_HOST'] ?? '', Number(env['DB_PORT']));
    const redis = await freezeAfter('scan', hostname, Number(port));
    const kafka = await listen(() => undefined);
    const startedAt = performance.now();

    const runs = await Promise.all([
      runEntryPoint('src/migrate.ts', { ...env, DB_HOST: '127.0.0.1', DB_PORT: String(postgres.port) }),
      reconcile({ ...env, REDIS_URL: `redis://127.0.0.1:${redis.port}${pathname}` }),
      dlq({ ...env, KAFKA_BROKERS: `127.0.0.1:${kafka}` }, 'list'),
    ]);

    expect(runs).toEqual(
      ['migrate', 'reconcile', 'list'].map((work): unknown => {
        const line = new RegExp(`^Cannot ${work}: .+\\n$`);
        return { code: 1, stdout: '', stderr: expect.stringMatching(line) };
      }),
    );
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect([postgres.isFrozen, redis.isFrozen]).toEqual([true, true]);
  });
});

describe('a Redis that accepts connections and stays silent', () => {
  it('is given up by each check, until a connection answers', async () => {
    const real = new URL(sharedServers()['REDIS_URL'] ?? '');
    const port = await listen((socket, nth) => {
      if (nth === 1) return;
      const upstream = connect(Number(real.port), real.hostname);
      sockets.push(upstream);
      socket.pipe(upstream).pipe(socket);
    });
    const url = `redis://127.0.0.1:${port}`;
    const connection = new RedisConnection({ url, state, log: new RecordingLogger() });
    ends.push(() => connection.stop());
    connection.start();

    await expect(connection.check()).rejects.toThrow(UnavailableError);
    await eventually(() => connection.check());
  });
});

describe('a PostgreSQL that falls silent during a query', () => {
  const answers = { areLost: false, lost: 0 };
  let env: Env;
  let port: number;
  let pool: PostgresPool;

  const createPool = (): PostgresPool => {
    const config = loadConfig({ ...env, DB_HOST: '127.0.0.1', DB_PORT: String(port) }).postgres;
    const created = new PostgresPool({ config, state, log: new RecordingLogger() });
    ends.push(() => created.stop());
    return created;
  };

  beforeEach(async () => {
    env = await isolatedServers();
    Object.assign(answers, { areLost: false, lost: 0 });
    port = await listen((socket) => {
      const upstream = connect(Number(env['DB_PORT']), env['DB_HOST'] ?? '');
      sockets.push(upstream);
      upstream.on('data', (answer) => {
        if (answers.areLost) answers.lost += 1;
        else socket.write(answer);
      });
      socket.pipe(upstream);
    });
    pool = createPool();
    await Promise.all([pool.query('SELECT 1', []), pool.check()]);
    answers.areLost = true;
  });

  it('does not hold up the stop', async () => {
    const query = pool.query('SELECT 1', []).catch((error: unknown) => error);
    await eventually(() => expect(answers.lost).toBe(1));
    const stopping = pool.stop();

    expect(await query).toBeInstanceOf(UnavailableError);
    await stopping;
  });

  it('ends every query, every check and every attempt to connect', async () => {
    const fresh = createPool();

    const waits = [pool.query('SELECT 1', []), pool.check(), fresh.query('SELECT 1', []), fresh.check()];

    await Promise.all(waits.map((wait) => expect(wait).rejects.toThrow(UnavailableError)));
  });
});

describe('a PostgreSQL that cuts the connection of a migration', () => {
  it('fails the migration, not the process', async () => {
    const port = await listen((socket) => socket.on('data', () => socket.destroy()));
    const config = loadConfig({ DB_HOST: '127.0.0.1', DB_PORT: String(port) }).postgres;

    await expect(applyMigrations(config, () => undefined)).rejects.toThrow(/terminated|ECONNRESET/);
  });
});

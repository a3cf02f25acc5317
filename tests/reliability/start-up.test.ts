import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { send } from '../support/raw-http';
import { runEntryPoint, ServiceProcess } from '../support/service-process';
import { insertUser, isolatedServers, sql, UNREACHABLE, type Env } from '../support/test-servers';
import { register } from '../support/traffic';

describe('start', () => {
  it('stops with one line that lists every bad variable', async () => {
    const { code, stderr, stdout } = await runEntryPoint('src/main.ts', {
      PORT: 'x',
      DB_PORT: '-1',
      LOG_LEVEL: 'loud',
    });

    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      'Bad configuration: PORT must be a number; LOG_LEVEL must be one of [error, warn, info, debug]; DB_PORT must be a valid port\n',
    );
  });

  it.each(['PORT', 'METRICS_PORT'])('stops with one line when %s is busy', async (variable) => {
    const other = createServer().listen(0);
    const { port } = other.address() as AddressInfo;

    const { code, stdout } = await runEntryPoint('src/main.ts', {
      ...UNREACHABLE,
      PORT: '0',
      METRICS_PORT: '0',
      [variable]: String(port),
      LOG_LEVEL: 'error',
    });

    other.close();
    expect(code).toBe(1);
    expect(stdout).toMatch(`Port ${port} is already in use: stop the other program or set ${variable} to`);
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  it('warns of every default and local address in production, in JSON lines', async () => {
    const service = await ServiceProcess.start(await isolatedServers());

    await service.stop();

    const lines = service.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; message: string; timestamp: string });
    const warnings = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toContainEqual(expect.stringContaining('DB_PASSWORD'));
    expect(warnings).toContainEqual(expect.stringContaining('GET /api/users'));
    expect(lines.every(({ timestamp }) => timestamp.endsWith('Z'))).toBe(true);
  });
});

/** The service, which reaches nothing, as a process that runs this script as soon as its first server listens. */
function runWhenListening(script: string): ReturnType<typeof runEntryPoint> {
  const hook = `
    import { Server } from 'node:net';
    const { listen } = Server.prototype;
    Server.prototype.listen = function (...args) {
      Server.prototype.listen = listen;
      return listen.apply(this, args).once('listening', () => { ${script} });
    };`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
  const env = { ...UNREACHABLE, NODE_ENV: 'production', PORT: '0', METRICS_PORT: '0', NODE_OPTIONS };
  return runEntryPoint('src/main.ts', env);
}

const messagesIn = (log: string): (string | undefined)[] =>
  [...log.matchAll(/"message":"([^"]*)/g)].map(([, message]) => message);

describe('SIGTERM during the start', () => {
  it('is followed by nothing but the stop, without an error', async () => {
    const { code, stdout } = await runWhenListening("process.emit('SIGTERM', 'SIGTERM')");

    const messages = messagesIn(stdout);
    expect(code).toBe(0);
    expect(new Set(messages.slice(messages.indexOf('stopping') + 1))).toEqual(new Set(['stopped']));
  });
});

describe('SIGINT', () => {
  it('ends the process with 1 when something does not stop', async () => {
    const { code, stdout } = await runWhenListening(
      "Server.prototype.close = () => { throw new Error('stuck'); }; process.emit('SIGINT', 'SIGINT')",
    );

    expect(code).toBe(1);
    expect(messagesIn(stdout)).toContain('stop failed');
  });
});

describe('a bug that escapes every handler', () => {
  it.each([
    ['thrown', "setImmediate(() => { throw new Error('bug'); })"],
    ['rejected', "Promise.reject(new Error('bug'))"],
  ])('is reported and ends the process in order, with 1, when it is %s', async (_how, bug) => {
    const { code, stdout } = await runWhenListening(`${bug}; ${bug};`);

    const messages = messagesIn(stdout);
    expect(code).toBe(1);
    expect(messages.filter((message) => message === 'crashed')).toHaveLength(1);
    expect(messages.slice(messages.indexOf('crashed'))).toContain('stopped');
  });
});

describe('migrations', () => {
  it('are applied once by two processes that start at the same time on an empty database', async () => {
    const env: Env = { ...(await isolatedServers()), MIGRATE_ON_START: 'true' };
    const database = env['DB_NAME'] ?? '';
    await sql({ ...env, DB_NAME: 'postgres' }, `DROP DATABASE "${database}"`);
    await sql({ ...env, DB_NAME: 'postgres' }, `CREATE DATABASE "${database}"`);

    const services = await Promise.all([ServiceProcess.start(env), ServiceProcess.start(env)]);

    const applied = await sql(env, 'SELECT name FROM pgmigrations ORDER BY id');
    expect(applied.map(({ name }) => `${String(name)}.sql`)).toEqual(readdirSync('migrations').sort());
    expect(await runEntryPoint('src/migrate.ts', env)).toMatchObject({
      code: 0,
      stdout: 'Nothing to apply: up to date\n',
    });
    expect(await Promise.all(services.map((service) => service.stop()))).toEqual([0, 0]);
  });

  it('go past a pooler where DB_DIRECT_HOST and DB_DIRECT_PORT say so', async () => {
    const { DB_HOST = '', DB_PORT = '', ...env } = await isolatedServers();
    const direct = { DB_DIRECT_HOST: DB_HOST, DB_DIRECT_PORT: DB_PORT };

    const { code } = await runEntryPoint('src/migrate.ts', { ...UNREACHABLE, ...env, ...direct });

    expect(code).toBe(0);
  });

  it('fail with one line when the database is unavailable', async () => {
    const { code, stderr } = await runEntryPoint('src/migrate.ts', UNREACHABLE);

    expect(code).toBe(1);
    expect(stderr).toMatch(/^Cannot migrate: .*ECONNREFUSED.*\n$/);
  });
});

describe('the time zones of the process and of the database', () => {
  it('shift neither created_at, nor of a row inserted by hand', async () => {
    const env: Env = { ...(await isolatedServers()), TZ: 'Asia/Kolkata' };
    await sql(
      { ...env, DB_NAME: 'postgres' },
      `ALTER DATABASE "${env['DB_NAME'] ?? ''}" SET timezone TO 'America/New_York'`,
    );
    const service = await ServiceProcess.start(env);
    const before = Date.now();

    const byHand = buildRegistration();
    await insertUser(env, byHand);
    const { registration } = await register(service.url, buildRegistration());
    for (const { email } of [byHand, registration]) {
      const createdAt = await eventually(async () => {
        const { status, body } = await send(`${service.url}/api/users/${email}`);
        expect(status).toBe(200);
        return Date.parse((JSON.parse(body) as { data: { created_at: string } }).data.created_at);
      });
      expect(createdAt).toBeGreaterThanOrEqual(before - 1);
      expect(createdAt).toBeLessThanOrEqual(Date.now() + 1);
    }

    expect(await service.stop()).toBe(0);
  });
});

import { MemoryStore } from 'express-rate-limit';
import express from 'express';
import supertest from 'supertest';
import { loadConfig } from '../../src/config/config';
import { HTTP_LIMITS } from '../../src/http/timeouts-and-limits';
import { LoadShedder } from '../../src/http/load-shedder';
import { HttpServer } from '../../src/http/server';
import { createApp } from '../../src/routes/app';
import { undescribed } from '../support/api-document';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes/postgres';
import { startService } from '../support/harness';
import { RawConnection } from '../support/raw-connection';
import { RecordingLogger } from '../support/recording-logger';

const MB = 1024 * 1024;
const ORIGIN = 'https://app.example.com';
const UNAVAILABLE = { success: false, error: 'Service temporarily unavailable, please retry' };
const GET = 'GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n';
const BODY = JSON.stringify(buildRegistration());
const EXPECTING =
  'POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n' +
  `Content-Length: ${BODY.length}\r\n\r\n`;

const started: HttpServer[] = [];

afterAll(() => Promise.all(started.map((server) => server.stop())));

/** The HTTP side in front of services that accept everything, and the shedder in the hands of the test. */
async function startApp() {
  const recorded: unknown[] = [];
  const log = new RecordingLogger();
  const shedder = new LoadShedder(log);
  const recordRequest = (...request: unknown[]): unknown => recorded.push(request);
  const app = createApp({
    config: loadConfig({ FRONTEND_URL: ORIGIN }).http,
    health: { report: () => ({ message: 'OK' }), isAlive: () => true, isReady: () => true } as never,
    rateLimitStore: new MemoryStore(),
    recordRequest,
    shedder,
    log,
    registrations: { register: () => Promise.resolve() },
    idempotentRegistrations: { register: () => Promise.reject(new Error('not used')) },
    erasures: { eraseOne: () => Promise.reject(new Error('not used')) },
    kafkaCopiesEnd: () => undefined,
    registrationStatus: { find: () => Promise.reject(new Error('not used')) },
    userQueries: {
      list: () => Promise.resolve({ users: [], next: undefined }),
      findByEmail: () => Promise.reject(new Error('not used')),
    },
  });
  const server = new HttpServer({ port: 0, app, recordRequest, log, limits: HTTP_LIMITS });
  started.push(server);
  await server.start();
  const url = `http://127.0.0.1:${server.address.port}`;
  return { http: supertest(url), url, server, shedder, recorded };
}

/** The same with no room for any request. */
async function startOverloaded() {
  const running = await startApp();
  for (let window = 0; window < 2; window += 1) running.shedder.observe(1, 50);
  while (running.shedder.tryAdmit());
  return running;
}

describe('a process that has too much to do', () => {
  let overloaded: Awaited<ReturnType<typeof startOverloaded>>;

  beforeAll(async () => {
    overloaded = await startOverloaded();
  });

  it('answers 503 with Retry-After and every header that other responses have', async () => {
    const response = await overloaded.http
      .post('/api/users')
      .set({ Origin: ORIGIN, 'X-Request-Id': 'mine' })
      .send(buildRegistration());

    expect(response.status).toBe(503);
    expect(response.body).toEqual(UNAVAILABLE);
    expect(response.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'retry-after': '2',
      'access-control-allow-origin': ORIGIN,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'mine',
      vary: 'Origin, Accept',
    });
    const { status, headers, text: body } = response;
    expect(undescribed({ method: 'POST', path: '/api/users', status, headers, body })).toEqual([]);
    expect(overloaded.recorded.at(-1)).toEqual(['POST', 'shed', 503, expect.any(Number)]);
  });

  it('answers probes all the same: it is busy, not dead', async () => {
    await overloaded.http.get('/api/health/live').expect(200);
    await overloaded.http.get('/api/health/ready').expect(200);
    await overloaded.http.get('/api/health').expect(200);
  });

  it.each(['/api/healthX', '/api/health/nothing', '/api/health/live/x', '/api/health?x=1'])(
    'does not take %s for a probe',
    async (path) => {
      await overloaded.http.get(path).expect(503);
    },
  );

  it('rejects what two servers could read in two ways, and closes the connection', async () => {
    for (const request of [
      'GET /api/users HTTP/1.1\r\n\r\n',
      'GET /api/users HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'POST /api/users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ]) {
      const connection = await RawConnection.exchange(overloaded.url, request);

      expect(connection.statuses).toEqual([400]);
    }
  });

  it('does not invite a body that it will not read', async () => {
    const connection = await RawConnection.exchange(overloaded.url, EXPECTING);

    expect(connection.received).toMatch(/^HTTP\/1.1 503 /);
    expect(connection.received).toMatch(/\r\nConnection: close\r\n/i);
  });

  it('answers requests that wait when it stops, and closes their connections', async () => {
    const { http, server, url } = await startOverloaded();
    const connection = await RawConnection.open(url);
    connection.send(GET);
    await http.get('/api/health/live'); // Answered after the other one was read.

    await Promise.all([server.stop(), connection.closed]);

    expect(connection.statuses).toEqual([503]);
    expect(connection.received).toMatch(/\r\nConnection: close\r\n/i);
  });

  it('serves a request that waits when the overload is over meanwhile', async () => {
    const { http, shedder } = await startOverloaded();
    const response = http.get('/api/users').then(({ status }) => status);
    await http.get('/api/health/live'); // Answered after the other one was read.

    for (let window = 0; window < 5; window += 1) shedder.observe(0.5, 50);

    expect(await response).toBe(200);
  });
});

describe('a process that has time', () => {
  it('invites a body when it is about to read it', async () => {
    const { url } = await startApp();
    const connection = await RawConnection.open(url);
    connection.send(EXPECTING);
    await eventually(() => expect(connection.received).toBe('HTTP/1.1 100 Continue\r\n\r\n'));

    connection.send(BODY);
    await connection.closed;

    expect(connection.statuses).toEqual([100, 201]);
  });
});

describe('responses that wait for their clients', () => {
  it('are dropped with their connections, the largest first, when they are too many bytes', async () => {
    const log = new RecordingLogger();
    // More than the kernel keeps on both sides.
    const app = express().get('/:megabytes', (req, res) => {
      res.send(Buffer.alloc(Number(req.params.megabytes) * MB));
    });
    const limits = { ...HTTP_LIMITS, maxBufferedResponseBytes: 40 * MB, checkIntervalMs: 50 };
    const server = new HttpServer({ port: 0, app, recordRequest: () => undefined, log, limits });
    started.push(server);
    await server.start();
    const ask = async (megabytes: number): Promise<RawConnection> => {
      const connection = await RawConnection.open(`http://127.0.0.1:${server.address.port}`);
      connection.socket.pause();
      connection.send(`GET /${megabytes} HTTP/1.1\r\nHost: a\r\n\r\n`);
      return connection;
    };

    const [small, large] = await Promise.all([ask(25), ask(60)]);
    const line = await eventually(() => {
      expect(log.lines).toHaveLength(1);
      return log.lines[0];
    });
    [small, large].forEach(({ socket }) => socket.resume());
    await large.closed;
    await eventually(() => expect(small.received.length).toBeGreaterThan(25 * MB));

    expect(line).toMatchObject({
      level: 'warn',
      message: 'closed connections with unread responses',
      closed: 1,
    });
    expect(large.received.length).toBeLessThan(60 * MB);
  });
});

describe('the whole service', () => {
  it('sheds what comes on top while its event loop never rests, and is itself again afterwards', async () => {
    const users = new InMemoryUsers();
    const list = users.list.bind(users);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    users.list = (page) => held.then(() => list(page));
    const service = await startService({ TRUST_PROXY: '1' }, { users });
    // More than a burst, none of which ends while the lists are held.
    const clients = await Promise.all(Array.from({ length: 230 }, () => RawConnection.open(service.url)));
    clients.forEach((client) => client.send(GET.repeat(10)));
    let isBusy = true;
    const keepBusy = (): void => {
      if (isBusy) setImmediate(keepBusy);
    };
    keepBusy();

    const shed = await eventually(async () => {
      const metrics = await supertest(service.metricsUrl).get('/metrics');
      expect(metrics.text).toMatch(/http_request_duration_seconds_count\{[^}]*route="shed",status="503"/);
      return metrics.status;
    });
    isBusy = false;
    clients.forEach(({ socket }) => socket.destroy());
    goOn();

    expect(shed).toBe(200);
    await eventually(() => service.http.get('/api/users').expect(200));
  });

  it('sheds no request of a crowd of 2,000 that comes after silence', async () => {
    const service = await startService({ TRUST_PROXY: '1' });
    const clients = await Promise.all(Array.from({ length: 2000 }, () => RawConnection.open(service.url)));

    for (const client of clients) {
      const body = JSON.stringify(buildRegistration({ email: uniqueEmail() }));
      client.send(
        'POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
          `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
    await Promise.all(clients.map(({ closed }) => closed));

    expect(new Set(clients.flatMap(({ statuses }) => statuses))).toEqual(new Set([201]));
    expect(clients.filter(({ statuses }) => statuses.length === 1)).toHaveLength(2000);
  });
});

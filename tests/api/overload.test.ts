import express from 'express';
import supertest from 'supertest';
import type { AnswerBrokenRequest } from '../../src/routes/broken-request';
import { HTTP_LIMITS, type HttpLimits } from '../../src/routes/http-limits';
import { createRefusal } from '../../src/routes/refusal';
import { HttpServer } from '../../src/routes/server';
import { undescribed } from '../support/api-document';
import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { connectionOptions } from '../../src/postgres/postgres-pool';
import { eventually } from '../support/eventually';
import { startService } from '../support/harness';
import { RawConnection } from '../support/raw-connection';
import { RecordingLogger } from '../support/recording-logger';

const MB = 1024 * 1024;
const ORIGIN = 'https://app.example.com';

const started: HttpServer[] = [];

afterAll(() => Promise.all(started.map((server) => server.stop())));

/** A server that has room for no request, in front of an app that answers 200 to everything. */
async function startFull(limits?: Partial<HttpLimits>) {
  const measured: unknown[] = [];
  const app = express().use((_req, res) => {
    res.json({ success: true });
  });
  const server = new HttpServer({
    port: 0,
    app,
    admission: {
      isFull: () => true,
      answered: () => undefined,
      refuse: createRefusal([ORIGIN], (...request) => measured.push(request)),
    },
    answerBroken: (_error, socket) => socket.destroy(),
    log: new RecordingLogger(),
    limits,
  });
  started.push(server);
  await server.start();
  const url = `http://127.0.0.1:${server.address.port}`;
  return { http: supertest(url), url, measured };
}

let full: Awaited<ReturnType<typeof startFull>>;

beforeAll(async () => {
  full = await startFull({ refusalDelayMs: 10 });
});

describe('a refusal', () => {
  it('waits, so that who sends again at once cannot keep the process busy with refusing', async () => {
    const { http } = await startFull();
    const startedAt = performance.now();

    await http.post('/api/users').expect(503);

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(HTTP_LIMITS.refusalDelayMs - 1);
    expect(HTTP_LIMITS.refusalDelayMs).toBeGreaterThanOrEqual(500);
  });

  it('waits the longer the more of them wait: their number a second is bounded, however many clients', async () => {
    const refusalDelayMs = 50;
    const { http } = await startFull({ refusalDelayMs, refusalsPerDelay: 2 });
    const startedAt = performance.now();

    const waits = await Promise.all(
      Array.from({ length: 6 }, async () => {
        await http.post('/api/users').expect(503);
        return performance.now() - startedAt;
      }),
    );

    const inOrder = waits.toSorted((one, other) => one - other);
    [1, 1, 2, 2, 3, 3].forEach((delays, nth) =>
      expect(inOrder[nth]).toBeGreaterThanOrEqual(delays * refusalDelayMs - 1),
    );
  });

  it('does not wait for those that are answered, nor for those whose clients have left', async () => {
    const { http, url } = await startFull({ refusalDelayMs: 500, refusalsPerDelay: 1 });
    await http.post('/api/users').expect(503);
    // Together they would make the next one wait for a minute.
    const clients = await Promise.all(Array.from({ length: 120 }, () => RawConnection.open(url)));
    for (const client of clients) client.send('GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n');
    for (const client of clients) client.socket.end();
    await Promise.all(clients.map(({ closed }) => closed));

    await http.post('/api/users').expect(503);
  });

  it('goes out right behind the one before it on its connection, and takes no turn of others', async () => {
    // In turns of their own they would take half a minute.
    const { url } = await startFull({ refusalDelayMs: 3000, refusalsPerDelay: 1 });
    const connection = await RawConnection.open(url);
    connection.send('GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10));

    await eventually(() => expect(connection.received.match(/HTTP\/1\.1 503/g)).toHaveLength(10));
  });
});

describe('answers that wait for their clients', () => {
  it('are dropped with their connections, the largest first, when they are too many bytes', async () => {
    const log = new RecordingLogger();
    // More than the kernel keeps on both sides.
    const app = express().get('/:megabytes', (req, res) => {
      res.send(Buffer.alloc(Number(req.params.megabytes) * MB));
    });
    const admission = { isFull: () => false, answered: () => undefined, refuse: app };
    const answerBroken: AnswerBrokenRequest = (_error, socket) => socket.destroy();
    const limits = { maxUnsentBytes: 40 * MB, checkIntervalMs: 50 };
    const server = new HttpServer({ port: 0, app, admission, answerBroken, log, limits });
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

    expect(line).toMatchObject({ level: 'warn', message: 'answers not taken: connections cut', cut: 1 });
    expect(large.received.length).toBeLessThan(60 * MB);
  });
});

describe('a process that has too much to do', () => {
  it('answers 503 with Retry-After and every header that other answers have', async () => {
    const response = await full.http
      .post('/api/users')
      .set({ Origin: ORIGIN, 'X-Request-Id': 'mine' })
      .send({ firstName: 'John' });

    expect(response.status).toBe(503);
    expect(response.body).toEqual({
      success: false,
      error: 'Service temporarily unavailable, please retry',
    });
    expect(response.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'retry-after': '2',
      'access-control-allow-origin': ORIGIN,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'mine',
      vary: 'Origin',
    });
    const { status, headers, text: body } = response;
    expect(undescribed({ method: 'POST', path: '/api/users', status, headers, body })).toEqual([]);
  });

  it('tells other origins nothing, and makes up for a request id that is not sane', async () => {
    const response = await full.http
      .get('/api/users')
      .set({ Origin: 'https://evil.example', 'X-Request-Id': 'a b' });

    expect(response.status).toBe(503);
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    expect(response.headers['x-request-id']).toMatch(/^[\da-f-]{36}$/);
  });

  it('answers probes all the same: it is busy, not dead', async () => {
    const response = await full.http.get('/api/health/live');

    expect(response.status).toBe(200);
  });

  it.each(['/api/healthX', '/api/health/nothing', '/api/health/live/x', '/api/health?x=1'])(
    'does not take %s for a probe',
    async (path) => {
      expect((await full.http.get(path)).status).toBe(503);
    },
  );

  it('counts what it refuses', async () => {
    full.measured.length = 0;

    await full.http.post('/api/users');

    expect(full.measured).toEqual([['POST', 'refused', 503, 0]]);
  });
});

describe('the whole service', () => {
  it('refuses what comes on top while its event loop never rests, and is itself again afterwards', async () => {
    const service = await startService({}, { httpLimits: { refusalDelayMs: 10 } });
    const someone = new Client(connectionOptions(loadConfig(service.env).postgres));
    await someone.connect();
    await someone.query('BEGIN');
    await someone.query('LOCK TABLE users');
    const waiting = Array.from({ length: 150 }, () => service.http.get('/api/users').then(() => undefined));
    let isBusy = true;
    const keepBusy = (): void => {
      if (isBusy) setImmediate(keepBusy);
    };
    keepBusy();

    const refused = await eventually(() =>
      service.http.get('/api/users').expect(503).expect('Retry-After', '2'),
    );
    isBusy = false;
    await someone.end();
    await Promise.all(waiting);

    expect(refused.body).toEqual({
      success: false,
      error: 'Service temporarily unavailable, please retry',
    });
    const metrics = await supertest(service.metricsUrl).get('/metrics');
    expect(metrics.text).toMatch(/http_request_duration_seconds_count\{[^}]*route="refused"/);
    await eventually(() => service.http.get('/api/users').expect(200));
  });
});

import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import express from 'express';
import supertest from 'supertest';
import { createBrokenRequestAnswer, type AnswerBrokenRequest } from '../../src/http/client-error';
import { createRefusal } from '../../src/http/refusal';
import { HttpServer } from '../../src/http/server';
import { WaitingRefusals, type Refusable } from '../../src/http/waiting-refusals';
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

const GET = 'GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';

const started: HttpServer[] = [];
/** The servers' ends of the connections, by the ports of their clients. */
const ends = new Map<number | undefined, Socket>();

subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket };
  ends.set(socket.remotePort, socket);
});

/** Sends a packet and waits until the server has read it: what comes next comes alone. */
async function sendAlone({ socket }: RawConnection, packet: string): Promise<void> {
  const end = ends.get(socket.localPort);
  socket.write(packet);
  await eventually(() => expect(end?.bytesRead).toBe(socket.bytesWritten));
}

afterAll(() => Promise.all(started.map((server) => server.stop())));

/** Lets none out by itself, and tells how many have come and gone. */
class WatchedRefusals extends WaitingRefusals {
  added = 0;
  gone = 0;

  override add(refusal: Refusable): void {
    this.added += 1;
    super.add(refusal);
  }

  override delete(refusal: Refusable): void {
    this.gone += 1;
    super.delete(refusal);
  }

  /** Sends so many as soon as they are there. */
  async releaseOnce(count: number, added: number): Promise<void> {
    await eventually(() => expect(this.added).toBe(added));
    this.release(count);
  }
}

/** A server that has room for no request, in front of an app that answers 200 to everything. */
async function startFull() {
  const measured: unknown[] = [];
  const room = { isFull: true };
  const past = { parser: 0 };
  const held: (() => void)[] = [];
  const app = express().use(express.json(), async (req, res) => {
    if (req.path === '/held') await new Promise<void>((resolve) => held.push(resolve));
    res.json({ success: true, path: req.path, body: req.body as unknown });
  });
  const refusal = createRefusal([ORIGIN], (...request) => measured.push(request));
  const waiting = new WatchedRefusals();
  const server = new HttpServer({
    port: 0,
    app,
    admission: { isFull: () => room.isFull, answered: () => undefined },
    refusal: {
      answer: refusal.answer,
      write: (...refused) => {
        past.parser += 1;
        refusal.write(...refused);
      },
    },
    waiting,
    answerBroken: createBrokenRequestAnswer([ORIGIN], () => undefined),
    log: new RecordingLogger(),
  });
  started.push(server);
  await server.start();
  const url = `http://127.0.0.1:${server.address.port}`;
  /** A connection on which one request was refused: what comes next is refused past the parser. */
  const openRefused = async (): Promise<RawConnection> => {
    const connection = await RawConnection.open(url);
    connection.send(GET);
    await waiting.releaseOnce(1, waiting.added + 1);
    await eventually(() => expect(connection.statuses).toEqual([503]));
    connection.received = '';
    return connection;
  };
  return { http: supertest(url), url, server, measured, room, held, past, waiting, openRefused };
}

let full: Awaited<ReturnType<typeof startFull>>;
let releasing: NodeJS.Timeout;

beforeAll(async () => {
  full = await startFull();
  releasing = setInterval(() => full.waiting.release(10), 10);
});

afterAll(() => clearInterval(releasing));

describe('a refusal', () => {
  it('waits for its turn, the oldest first: who sends again at once gets no more than is let out', async () => {
    const { url, waiting } = await startFull();
    const clients: RawConnection[] = [];
    for (let nth = 0; nth < 3; nth += 1) {
      const client = await RawConnection.open(url);
      client.send(GET);
      await eventually(() => expect(waiting.added).toBe(nth + 1));
      clients.push(client);
    }
    const statuses = (): number[][] => clients.map((client) => client.statuses);
    expect(statuses()).toEqual([[], [], []]);

    waiting.release(2);
    await eventually(() => expect(statuses()).toEqual([[503], [503], []]));
    clients[0]?.send(GET);
    await waiting.releaseOnce(1, 4);
    await eventually(() => expect(statuses()).toEqual([[503], [503], [503]]));
    waiting.release(1);
    await eventually(() => expect(statuses()).toEqual([[503, 503], [503], [503]]));
  });

  it('takes no turn when its client has left', async () => {
    const { http, url, waiting, openRefused } = await startFull();
    const parsed = await RawConnection.open(url);
    const unparsed = await openRefused();
    for (const client of [parsed, unparsed]) client.send(GET);
    await eventually(() => expect(waiting.added).toBe(3));
    const gone = waiting.gone;
    for (const client of [parsed, unparsed]) client.socket.destroy();
    await eventually(() => expect(waiting.gone).toBe(gone + 2));

    const answer = http.get('/api/users').then(({ status }) => status);
    await waiting.releaseOnce(1, 4);

    expect(await answer).toBe(503);
  });

  it('goes out right behind the one before it on its connection, and takes no turn of others', async () => {
    const { url, waiting } = await startFull();
    const connection = await RawConnection.open(url);
    connection.send(GET.repeat(10));
    await waiting.releaseOnce(1, 1);

    await eventually(() => expect(connection.statuses).toEqual(Array(10).fill(503)));
  });
});

describe('a connection on which a request was refused', () => {
  it('gets the same answer again, which now costs no parsing', async () => {
    const { url, past, waiting, measured } = await startFull();
    const connection = await RawConnection.open(url);
    const answers: string[] = [];
    for (const origin of ['', `Origin: ${ORIGIN}\r\n`, 'Origin: https://evil.example\r\n']) {
      const request = POST.replace('Host', `${origin}X-Request-Id: mine\r\nHost`);
      const fresh = await RawConnection.open(url);
      for (const client of [fresh, connection, connection]) {
        client.received = '';
        client.send(request);
        await waiting.releaseOnce(1, waiting.added + 1);
        await eventually(() => expect(client.statuses).toEqual([503]));
        answers.push(client.received.replace(/Date: .*/, 'Date'));
      }
    }

    expect(past.parser).toBe(5);
    const linesOf = (answer: string | undefined): string[] | undefined => answer?.split('\r\n').toSorted();
    for (const first of [0, 3, 6]) {
      expect(linesOf(answers[first + 1])).toEqual(linesOf(answers[first]));
      expect(linesOf(answers[first + 2])).toEqual(linesOf(answers[first]));
    }
    expect(new Set(answers.map((answer) => answer.includes(ORIGIN)))).toEqual(new Set([true, false]));
    expect(measured).toEqual(Array(9).fill(['POST', 'refused', 503, 0]));
  });

  it('gets the date, and a request id of its own', async () => {
    const { waiting, openRefused } = await startFull();
    const connection = await openRefused();

    connection.send(POST);
    await waiting.releaseOnce(1, 2);
    await eventually(() => expect(connection.statuses).toEqual([503]));

    const date = /\r\nDate: ([^\r]*)/.exec(connection.received)?.[1] ?? '';
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(10_000);
    expect(connection.received).toMatch(/\r\nX-Request-Id: [\da-f-]{36}\r\n/);
  });

  it('gets its request id back without the blanks behind it', async () => {
    const { waiting, openRefused } = await startFull();
    const connection = await openRefused();

    connection.send(POST.replace('Host', 'X-Request-Id: mine \t\r\nHost'));
    await waiting.releaseOnce(1, 2);
    await eventually(() => expect(connection.statuses).toEqual([503]));

    expect(connection.received).toContain('\r\nX-Request-Id: mine\r\n');
  });

  it('is served as any other when there is room again, and for probes always', async () => {
    const { room, openRefused } = await startFull();
    const connection = await openRefused();

    connection.send('GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => expect(connection.statuses).toEqual([200]));
    room.isFull = false;
    connection.send(POST.replace('Host', 'Content-Type: application/json\r\nHost'));
    await eventually(() => expect(connection.statuses).toEqual([200, 200]));

    expect(connection.body).toEqual({ success: true, path: '/api/users', body: {} });
  });

  it.each([
    ['two in one packet', [GET + POST], [503, 503]],
    ['another one before the first is answered', [GET, POST], [503, 503]],
    ['a head in two packets', [GET.slice(0, 20), GET.slice(20)], [503]],
    ['a head in two packets, the second like a request', ['GET / HTTP/1.1\r\n', GET], [400]],
    ['a body in two packets', [POST.slice(0, -1), '}'], [503]],
    [
      'a body in two packets, the second like a request',
      [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${GET.length + 1}\r\n\r\n-`, GET],
      [503],
    ],
    ['chunks', ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'], [503]],
    ['a PUT', [POST.replace('POST', 'PUT')], [503]],
    ['what is no HTTP', ['nonsense\r\n\r\n'], [400]],
    ['what is no path', [GET.replace('/api/users', 'users')], [400]],
  ] as const)('reads %s as before, and what comes then', async (_what, packets, statuses) => {
    const { url, waiting, measured, openRefused } = await startFull();
    const fresh = await RawConnection.open(url);
    const connection = await openRefused();
    const timer = setInterval(() => waiting.release(10), 100);

    for (const client of [fresh, connection]) {
      for (const packet of packets) await sendAlone(client, packet);
      await eventually(() => expect(client.statuses).toEqual(statuses));
      if (statuses[0] !== 503) await client.closed;
      else {
        client.send(GET);
        await eventually(() => expect(client.statuses).toEqual([...statuses, 503]));
      }
    }
    clearInterval(timer);

    const ofEach = statuses[0] === 503 ? [...statuses, 503] : [];
    // The first is openRefused's.
    expect(measured).toHaveLength(1 + 2 * ofEach.length);
  });

  it('gets a refusal behind the answer to what was let in before', async () => {
    const { room, held, waiting, openRefused } = await startFull();
    const connection = await openRefused();
    room.isFull = false;
    connection.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => expect(held).toHaveLength(1));
    room.isFull = true;

    await sendAlone(connection, POST);
    waiting.release(10);
    held[0]?.();

    await eventually(() => expect(connection.statuses).toEqual([200, 503]));
  });

  it('gets no second answer for the rest of a body whose request was refused before it came', async () => {
    const { url, waiting } = await startFull();
    const connection = await RawConnection.open(url);
    connection.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${GET.length}\r\n\r\n`);
    await waiting.releaseOnce(1, 1);
    await eventually(() => expect(connection.statuses).toEqual([503]));

    await sendAlone(connection, GET);
    expect(waiting.added).toBe(1);
    connection.send(GET.replace('GET', 'PUT'));
    await waiting.releaseOnce(1, 2);

    await eventually(() => expect(connection.statuses).toEqual([503, 503]));
  });

  it('gets no answer for the rest of a request whose beginning came with one that was refused', async () => {
    const { url, room, waiting } = await startFull();
    const connection = await RawConnection.open(url);
    await sendAlone(connection, `${GET}GET /begun HTTP/1.1\r\nX: `);
    await waiting.releaseOnce(1, 1);
    await eventually(() => expect(connection.statuses).toEqual([503]));

    await sendAlone(connection, GET);
    await waiting.releaseOnce(1, 2);
    await eventually(() => expect(connection.statuses).toEqual([503, 503]));
    room.isFull = false;
    connection.send(GET.replace('/api/users', '/next'));

    await eventually(() => expect(connection.statuses).toEqual([503, 503, 200]));
    expect(connection.body).toEqual({ success: true, path: '/next' });
  });

  it('leaves nothing on its socket however often the parser gets it back', async () => {
    const { waiting, openRefused } = await startFull();
    const connection = await openRefused();
    const end = ends.get(connection.socket.localPort);
    const listeners = (): number[] => ['data', 'close'].map((event) => end?.listenerCount(event) ?? 0);
    const before = listeners();
    for (let nth = 2; nth < 22; nth += 1) {
      connection.send(POST.replace('POST', 'PUT'));
      await waiting.releaseOnce(1, nth);
      await eventually(() => expect(connection.statuses).toHaveLength(nth - 1));
    }

    await eventually(() => expect(listeners()).toEqual(before));
  });

  it('is answered and closed when the server stops', async () => {
    const { server, waiting, openRefused } = await startFull();
    const connection = await openRefused();
    connection.send(POST);
    await eventually(() => expect(waiting.added).toBe(2));

    const stopped = server.stop();
    await waiting.releaseOnce(1, 3);
    await Promise.all([stopped, connection.closed]);

    expect(connection.statuses).toEqual([503]);
    expect(connection.received).toContain('\r\nConnection: close\r\n');
  });
});

describe('answers that wait for their clients', () => {
  it('are dropped with their connections, the largest first, when they are too many bytes', async () => {
    const log = new RecordingLogger();
    // More than the kernel keeps on both sides.
    const app = express().get('/:megabytes', (req, res) => {
      res.send(Buffer.alloc(Number(req.params.megabytes) * MB));
    });
    const admission = { isFull: () => false, answered: () => undefined };
    const refusal = createRefusal([], () => undefined);
    const waiting = new WaitingRefusals();
    const answerBroken: AnswerBrokenRequest = (_error, socket) => socket.destroy();
    const limits = { maxUnsentBytes: 40 * MB, checkIntervalMs: 50 };
    const server = new HttpServer({ port: 0, app, admission, refusal, waiting, answerBroken, log, limits });
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
    const service = await startService();
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

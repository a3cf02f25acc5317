import type { User } from '../../src/domain/stored-user';
import { HTTP_LIMITS } from '../../src/http/timeouts-and-limits';
import { buildRegistration, buildUser } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes/postgres';
import { startService, type TestService } from '../support/harness';
import { RawConnection } from '../support/raw-connection';

const GET = 'GET /api/users HTTP/1.1\r\nHost: service\r\n';
const POST = 'POST /api/users HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n';
const TOO_SLOW = { success: false, error: 'Request took too long' };

const users = new InMemoryUsers();

const start = (httpLimits: object): Promise<TestService> =>
  startService({ CONSUMER_ENABLED: 'false' }, { users, httpLimits });

/** Makes list requests wait until the returned function is called. */
function holdListRequests(): { waiting: () => number; release: () => void } {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const list = jest
    .spyOn(users, 'list')
    .mockImplementation(() => gate.then(() => ({ users: [], next: undefined })));
  return { waiting: () => list.mock.calls.length, release: () => release() };
}

const requestLines = (service: TestService): unknown[] =>
  service.log.lines.filter(({ message, route }) => message === 'request' && route === '/api/users');

afterEach(() => jest.restoreAllMocks());

describe('slow clients', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await start({
      headersTimeoutMs: 300,
      requestTimeoutMs: 600,
      responseTimeoutMs: 1500,
      checkIntervalMs: 20,
    });
  });

  it('who send a header now and then get 408 and are cut off, while others are served', async () => {
    const slow = await Promise.all(Array.from({ length: 50 }, () => RawConnection.open(service.url)));
    for (const connection of slow) {
      connection.send(GET);
      connection.trickle('X-Later: 1\r\n');
    }

    await service.http.get('/api/users').expect(200);
    await Promise.all(slow.map(({ closed }) => closed));

    for (const { statuses, body } of slow) expect([statuses, body]).toEqual([[408], TOO_SLOW]);
  });

  it('who send nothing at all are cut off', async () => {
    const silent = await RawConnection.open(service.url);

    await silent.closed;

    expect(silent.statuses).toEqual([408]);
  });

  it('who send a body byte by byte get 408 and are cut off', async () => {
    const slow = await RawConnection.open(service.url);
    slow.send(`${POST}Content-Length: 16000\r\n\r\n{`);
    slow.trickle(' ');

    await slow.closed;

    expect([slow.statuses, slow.body]).toEqual([[408], TOO_SLOW]);
  });

  it('who do not read their answer are cut off, and the log says so', async () => {
    // More than the kernel keeps on both sides.
    const row = buildUser(buildRegistration({ occupation: 'x'.repeat(10_000) }));
    jest.spyOn(users, 'list').mockResolvedValue({ users: Array<User>(3000).fill(row), next: undefined });
    const slow = await RawConnection.open(service.url);
    slow.socket.pause();
    slow.send(`${GET}X-Request-Id: slow-reader\r\n\r\n`);

    const line = await eventually(() => {
      const found = service.log.lines.find(({ requestId }) => requestId === 'slow-reader');
      expect(found).toBeDefined();
      return found;
    });

    slow.socket.destroy();
    expect(line).toMatchObject({ status: 200, aborted: true });
  });
});

describe('clients that never hang up', () => {
  it('make room for others when their malformed request is answered', async () => {
    const service = await start({ maxConnections: 1 });
    const stubborn = await RawConnection.open(service.url, { allowHalfOpen: true });

    stubborn.send('hello\r\n\r\n');

    // Rejected while the first one is still there.
    await eventually(() => service.http.get('/api/health/live').expect(200));
    expect(stubborn.statuses).toEqual([400]);
    stubborn.socket.destroy();
    await service.stop();
  });
});

describe('more connections than allowed', () => {
  it.each([
    ['in all', { maxConnections: 2 }, { limit: 2, limitPerAddress: 500 }],
    ['from one address', { maxConnectionsPerAddress: 2 }, { limit: 5000, limitPerAddress: 2 }],
  ])(
    '%s are closed at once; others are served, and one that goes makes room',
    async (_of, allowed, logged) => {
      const service = await start({ ...allowed, checkIntervalMs: 20 });
      const served = await Promise.all([1, 2].map(() => RawConnection.open(service.url)));
      for (const connection of served) connection.send(`${GET}\r\n`);
      await eventually(() => expect(served.flatMap(({ statuses }) => statuses)).toEqual([200, 200]));

      const third = await RawConnection.open(service.url);
      await third.closed;

      expect(third.received).toBe('');
      await eventually(() =>
        expect(service.log.lines).toContainEqual({
          level: 'warn',
          message: 'connections rejected (limit reached)',
          rejected: 1,
          ...logged,
        }),
      );
      served[0]?.send(`${GET}\r\n`);
      await eventually(() => expect(served[0]?.statuses).toEqual([200, 200]));
      served[1]?.socket.destroy();
      await eventually(() => service.http.get('/api/users').expect(200));
      await service.stop();
    },
  );

  it('from one address are served when it is that of a proxy', async () => {
    const { maxConnectionsPerAddress } = HTTP_LIMITS;
    const service = await startService({ CONSUMER_ENABLED: 'false', TRUST_PROXY: '1' }, { users });
    const connections = await Promise.all(
      Array.from({ length: maxConnectionsPerAddress + 1 }, () => RawConnection.open(service.url)),
    );

    connections.at(-1)?.send(`${GET}\r\n`);

    await eventually(() => expect(connections.at(-1)?.statuses).toEqual([200]));
    connections.forEach(({ socket }) => socket.destroy());
    await service.stop();
  });
});

describe('pipelined requests', () => {
  it('are served while they are few; one more than allowed cuts the connection, unserved', async () => {
    const service = await start({ maxPipelined: 3 });
    const { waiting, release } = holdListRequests();
    const modest = await RawConnection.open(service.url);
    modest.send(`${GET}\r\n`.repeat(3));
    await eventually(() => expect(waiting()).toBe(3));

    const greedy = await RawConnection.exchange(service.url, `${GET}\r\n`.repeat(100));

    expect([greedy.received, waiting()]).toEqual(['', 6]);
    release();
    await eventually(() => expect(modest.statuses).toEqual([200, 200, 200]));
    modest.send(`${GET}\r\n`);
    await eventually(() => expect(modest.statuses).toHaveLength(4));
    await service.stop();
  });
});

describe('silence between two requests', () => {
  it('ends the connection after keepAliveTimeoutMs, without a response', async () => {
    const service = await start({ keepAliveTimeoutMs: 100 });
    const connection = await RawConnection.open(service.url);
    connection.send(`${GET}\r\n`);

    await connection.closed;

    expect(connection.statuses).toEqual([200]);
    await service.stop();
  });

  it('may last 65 s: longer than load balancers keep a connection', async () => {
    const service = await start({});

    const { headers } = await service.http.get('/api/users').set('Connection', 'keep-alive').expect(200);

    expect(headers['keep-alive']).toBe('timeout=65');
    await service.stop();
  });
});

describe('what cannot be read after a request on the same connection', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await start({});
  });

  it.each([
    ['nonsense', 'hello\r\n\r\n'],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('does not take the place of its answer (%s)', async (_what, next) => {
    const { waiting, release } = holdListRequests();
    const connection = await RawConnection.open(service.url);
    connection.send(`${GET}\r\n`);
    await eventually(() => expect(waiting()).toBe(1));

    connection.send(next);
    // A request of another client proves that the service has read it.
    await service.http.get('/api/health/live').expect(200);
    release();
    await connection.closed;

    expect(connection.statuses).toEqual([200]);
    expect(connection.received).toMatch(/\r\nConnection: close\r\n/i);
  });

  it('is answered when the request is', async () => {
    const connection = await RawConnection.open(service.url);
    connection.send(`${GET}\r\n`);
    await eventually(() => expect(connection.statuses).toEqual([200]));

    connection.send('hello\r\n\r\n');
    await connection.closed;

    expect(connection.statuses).toEqual([200, 400]);
  });

  it('gets no second answer when it is the rest of a body', async () => {
    const connection = await RawConnection.open(service.url);
    connection.send('POST /api/nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n');
    await eventually(() => expect(connection.statuses).toEqual([404]));

    connection.send('nonsense\r\n');
    await connection.closed;

    expect(connection.statuses).toEqual([404]);
  });

  it('gets no second answer when the first one said close', async () => {
    const connection = await RawConnection.exchange(
      service.url,
      `${GET}Connection: close\r\n\r\n${GET}\r\nhello\r\n\r\n`,
    );

    expect(connection.statuses).toEqual([200]);
  });

  it('gets no answer in the place of an earlier one when it is the rest of a body', async () => {
    const { waiting, release } = holdListRequests();
    const connection = await RawConnection.open(service.url);
    connection.send(`${GET}\r\n${POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n`);
    await eventually(() => expect(waiting()).toBe(1));

    connection.send('nonsense\r\n');
    await connection.closed;
    release();

    expect(connection.statuses).toEqual([]);
  });
});

describe('pipelined requests whose client leaves', () => {
  it('are all logged as aborted, the waiting ones too', async () => {
    const service = await start({});
    const { waiting, release } = holdListRequests();
    const connection = await RawConnection.open(service.url);
    connection.send(`${GET}\r\n`.repeat(3));
    await eventually(() => expect(waiting()).toBe(3));

    connection.socket.destroy();

    await eventually(() => expect(requestLines(service)).toHaveLength(3));
    release();
    for (const line of requestLines(service)) expect(line).toMatchObject({ aborted: true });
    await service.stop();
  });
});

describe('a client that asks for a tunnel and breaks the connection off', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await start({});
  });

  const CONNECT = 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n';
  const UPGRADE = `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

  // An error without a listener would end the process; Jest fails the test instead.
  it.each([
    ['at once', CONNECT],
    ['with more after it', `${CONNECT}${'x'.repeat(100_000)}`],
    ['by Upgrade', UPGRADE],
  ])('ends nothing but its connection: %s', async (_what, text) => {
    for (let time = 0; time < 20; time += 1) {
      const connection = await RawConnection.open(service.url);
      connection.send(text);
      if (time % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      connection.socket.resetAndDestroy();
    }

    await service.http.get('/api/health/live').expect(200);
    await service.http.get('/api/users').expect(200);
  });

  it('ends nothing but its connection: after a request in flight', async () => {
    const { waiting, release } = holdListRequests();
    const connection = await RawConnection.open(service.url);
    connection.send(`${GET}\r\n${CONNECT}`);
    await eventually(() => expect(waiting()).toBe(1));

    connection.socket.resetAndDestroy();

    await eventually(() =>
      expect(requestLines(service)).toContainEqual(expect.objectContaining({ aborted: true })),
    );
    release();
    await service.http.get('/api/users').expect(200);
  });
});

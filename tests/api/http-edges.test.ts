import { once } from 'node:events';
import { connect } from 'node:net';
import { UnavailableError } from '../../src/domain/errors';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes';
import { startService, type TestService } from '../support/harness';
import { send } from '../support/raw-http';

const ORIGIN = 'https://app.example.com';
const OTHER = 'https://evil.example.org';

let service: TestService;
const users = new InMemoryUsers();

beforeAll(async () => {
  service = await startService({ FRONTEND_URL: `http://localhost:5173,${ORIGIN}` }, { users });
});

describe('unknown routes and methods', () => {
  it.each(['/', '/api', '/api/nothing', '/api/users/a@example.com/more', '/api/health/nothing', '/API/%zz'])(
    'answers 404 for %s',
    async (path) => {
      const response = await service.http.get(path);

      expect(response.body).toEqual({ success: false, error: 'Not found' });
      expect(response.status).toBe(404);
    },
  );

  it.each([
    ['put', '/api/users', 'GET, HEAD, POST, OPTIONS'],
    ['delete', '/api/users/a@example.com', 'GET, HEAD, OPTIONS'],
    ['post', '/api/users/a@example.com', 'GET, HEAD, OPTIONS'],
    ['post', '/api/health', 'GET, HEAD, OPTIONS'],
    ['patch', '/api/health/live', 'GET, HEAD, OPTIONS'],
    ['delete', '/api/health/ready', 'GET, HEAD, OPTIONS'],
  ] as const)('answers 405 with Allow for %s %s', async (method, path, allow) => {
    const response = await service.http[method](path).send({});

    expect(response.body).toEqual({ success: false, error: 'Method not allowed' });
    expect(response.status).toBe(405);
    expect(response.headers['allow']).toBe(allow);
  });
});

describe('requests that Node itself would answer', () => {
  it.each([
    [
      'too large headers',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'Request headers are too large',
    ],
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'Request is not valid HTTP'],
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'Request is not valid HTTP'],
    [
      'an unknown expectation',
      'GET /nothing HTTP/1.1\r\nHost: x\r\nExpect: foo\r\nConnection: close\r\n\r\n',
      404,
      'Not found',
    ],
  ])('get JSON for %s', async (_what, text, status, error) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => (answer += data.toString()));
    socket.on('error', () => undefined);
    socket.write(text);

    await once(socket, 'close');

    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({ success: false, error });
  });
});

describe('crashes', () => {
  it('answers 500 without detail, and logs the error with the request id', async () => {
    const list = jest.spyOn(users, 'list').mockRejectedValueOnce(new TypeError('secret detail'));

    const response = await service.http
      .get('/api/users')
      .set('Origin', ORIGIN)
      .set('X-Request-Id', 'crash-1')
      .expect(500);

    list.mockRestore();
    expect(response.body).toEqual({ success: false, error: 'Internal server error' });
    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(service.log.lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        requestId: 'crash-1',
        error: expect.objectContaining({ name: 'TypeError', message: 'secret detail' }),
      }),
    );
  });
});

describe('CORS', () => {
  it.each([
    ['200', () => service.http.get('/api/users')],
    ['400', () => service.http.post('/api/users').send({})],
    ['404', () => service.http.get('/api/nothing')],
    ['405', () => service.http.delete('/api/users')],
    ['413', () => service.http.post('/api/users').send({ x: 'x'.repeat(20_000) })],
    ['415', () => service.http.post('/api/users').type('text').send('x')],
    ['probe', () => service.http.get('/api/health/live')],
  ])('lets a listed origin read the answer (%s)', async (_status, ask) => {
    const response = await ask().set('Origin', ORIGIN);

    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(response.headers['vary']).toContain('Origin');
    const exposed = response.headers['access-control-expose-headers'];
    for (const name of [
      'Location',
      'Link',
      'Retry-After',
      'RateLimit',
      'RateLimit-Policy',
      'Idempotency-Replayed',
      'X-Request-Id',
    ]) {
      expect(exposed).toContain(name);
    }
  });

  it.each([OTHER, 'null', `${ORIGIN}.evil.org`, 'https://APP.example.com'])(
    'gives %s no CORS header and no error',
    async (origin) => {
      const response = await service.http.get('/api/users').set('Origin', origin).expect(200);

      expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(response.headers['vary']).toContain('Origin');
    },
  );

  it('varies by Origin without one, too', async () => {
    const response = await service.http.get('/api/users').expect(200);

    expect(response.headers['vary']).toContain('Origin');
  });

  it('answers a preflight of a listed origin', async () => {
    const response = await service.http
      .options('/api/users')
      .set({
        Origin: ORIGIN,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      })
      .expect(204);

    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(response.headers['access-control-allow-methods']).toContain('POST');
    for (const name of ['Content-Type', 'Authorization', 'Idempotency-Key', 'X-Request-Id']) {
      expect(response.headers['access-control-allow-headers']).toContain(name);
    }
  });

  it('answers a preflight of another origin without CORS headers and without an error', async () => {
    const response = await service.http.options('/api/users').set('Origin', OTHER).expect(204);

    expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('headers', () => {
  it('are Helmet’s, without a word on the server, and nothing is cached', async () => {
    const { headers } = await service.http.get('/api/users').expect(200);

    expect(headers).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'self'"),
      'strict-transport-security': expect.any(String),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers['etag']).toBeUndefined();
  });

  it.each(['req-1', 'A.b_c:d-9', 'x'.repeat(128)])('returns a sane X-Request-Id (%s)', async (id) => {
    const response = await service.http.get('/api/users').set('X-Request-Id', id);

    expect(response.headers['x-request-id']).toBe(id);
  });

  it.each(['', 'with blank', '<script>', 'x'.repeat(129), 'ü', 'a"b'])(
    'replaces another X-Request-Id (%s)',
    async (id) => {
      const headers = { 'X-Request-Id': Buffer.from(id).toString('latin1') };

      const answer = await send(`${service.url}/api/users`, { headers });

      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('request log', () => {
  it('holds method, route, status, duration and id, and nothing that was submitted', async () => {
    const registration = buildRegistration({ lastName: 'Confidential' });
    const malformed = JSON.stringify(registration).slice(0, -1);

    await service.http.post('/api/users').set('X-Request-Id', 'log-1').send(registration).expect(201);
    await service.http.post('/api/users').type('json').send(malformed).expect(400);
    await service.http.get(`/api/users/${registration.email}?token=Confidential`);

    const line = await eventually(() => {
      const found = service.log.lines.find(({ requestId }) => requestId === 'log-1');
      expect(found).toBeDefined();
      return found;
    });
    expect(line).toEqual({
      level: 'info',
      message: 'request',
      method: 'POST',
      route: '/api/users',
      status: 201,
      durationMs: expect.any(Number),
      requestId: 'log-1',
    });
    const text = JSON.stringify(service.log.lines);
    expect(text).not.toContain('Confidential');
    expect(text).not.toContain(registration.email);
  });

  it('names the route of an answer that is an error, too', async () => {
    await service.http.post('/api/users').set('X-Request-Id', 'log-2').send({}).expect(400);

    const line = await eventually(() => {
      const found = service.log.lines.find(({ requestId }) => requestId === 'log-2');
      expect(found).toBeDefined();
      return found;
    });
    expect(line).toMatchObject({ route: '/api/users', status: 400 });
  });
});

describe('503', () => {
  it('carries Retry-After and the CORS headers', async () => {
    const list = jest.spyOn(users, 'list').mockRejectedValueOnce(new UnavailableError('away'));

    const response = await service.http.get('/api/users').set('Origin', ORIGIN).expect(503);

    list.mockRestore();
    expect(response.headers['retry-after']).toBe('2');
    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
  });

  it('is what a full send queue answers at once', async () => {
    const isFull = {
      acquire: () => {
        throw new UnavailableError('full');
      },
    };
    const full = await startService({}, { users, queue: isFull });

    const response = await full.http
      .post('/api/users')
      .send(buildRegistration({ email: uniqueEmail() }))
      .expect(503);

    await full.stop();
    expect(response.body).toEqual({ success: false, error: 'Service temporarily unavailable, please retry' });
    expect(response.headers['retry-after']).toBe('2');
  });
});

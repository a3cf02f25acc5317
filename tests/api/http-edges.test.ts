import { UnavailableError } from '../../src/domain/errors';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes/postgres';
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

describe('an unknown expectation', () => {
  it('is no reason for the bare 417 of Node', async () => {
    const headers = { Expect: 'foo' };

    expect(await send(`${service.url}/api/nothing`, { headers })).toMatchObject({
      status: 404,
      body: '{"success":false,"error":"Not found"}',
    });
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
  it.each(['/api/users', '/api/health/live'])('lets a listed origin read the answer of %s', async (path) => {
    const { headers } = await service.http.get(path).set('Origin', ORIGIN).expect(200);

    expect(headers).toMatchObject({ 'access-control-allow-origin': ORIGIN, vary: 'Origin' });
    expect(headers['access-control-expose-headers']?.split(',')).toEqual([
      'Location',
      'Link',
      'X-Total-Count',
      'Retry-After',
      'RateLimit',
      'RateLimit-Policy',
      'Idempotency-Replayed',
      'X-Request-Id',
    ]);
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
        'Access-Control-Request-Headers': 'baggage, content-type, sentry-trace, traceparent',
      })
      .expect(204);

    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(response.headers['access-control-allow-methods']).toBe('GET,HEAD,POST');
    expect(response.headers['access-control-max-age']).toBe('600');
    expect(response.headers['access-control-allow-headers']?.split(',')).toEqual([
      ...['Content-Type', 'Authorization', 'Idempotency-Key', 'X-Request-Id'],
      ...['traceparent', 'tracestate', 'baggage', 'sentry-trace'],
    ]);
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

  it.each(['req-1', 'A.b_c:d-9', 'x'.repeat(128)])('returns a valid X-Request-Id (%s)', async (id) => {
    const response = await service.http.get('/api/users').set('X-Request-Id', id);

    expect(response.headers['x-request-id']).toBe(id);
  });

  it.each(['', 'with blank', '<script>', 'x'.repeat(129), 'ü', 'a"b', 'a\tb', 'a\u009bb', '${a}', '%0a'])(
    'replaces another X-Request-Id (%j)',
    async (id) => {
      const headers = { 'X-Request-Id': Buffer.from(id).toString('latin1') };

      const answer = await send(`${service.url}/api/users`, { headers });

      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('request log', () => {
  it.each([
    [201, buildRegistration()],
    [400, {}],
  ])('holds method, route, status, duration and id: %i', async (status, body) => {
    const requestId = `log-${status}`;

    await service.http.post('/api/users').set('X-Request-Id', requestId).send(body).expect(status);

    await eventually(() =>
      expect(service.log.lines).toContainEqual({
        level: 'info',
        message: 'request',
        method: 'POST',
        route: '/api/users',
        status,
        durationMs: expect.any(Number),
        requestId,
      }),
    );
  });
});

describe('503', () => {
  it('carries Retry-After and the CORS headers, and is no bug to the log', async () => {
    const list = jest.spyOn(users, 'list').mockRejectedValueOnce(new UnavailableError('unavailable'));
    const headers = { Origin: ORIGIN, 'X-Request-Id': 'unavailable-1' };

    const response = await service.http.get('/api/users').set(headers).expect(503);

    list.mockRestore();
    expect(response.headers['retry-after']).toBe('2');
    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
    await eventually(() => {
      const lines = service.log.lines.filter(({ requestId }) => requestId === 'unavailable-1');
      expect(lines.map(({ level, message }) => [level, message])).toEqual([['info', 'request']]);
    });
  });

  it('is what a full send queue answers at once', async () => {
    const isFull = {
      acquire: () => {
        throw new UnavailableError('full');
      },
    };
    const full = await startService({}, { users, queue: isFull });

    const response = await full.http.post('/api/users').send(buildRegistration()).expect(503);

    await full.stop();
    expect(response.body).toEqual({ success: false, error: 'Service temporarily unavailable, please retry' });
    expect(response.headers['retry-after']).toBe('2');
  });
});

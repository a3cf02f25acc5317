import { randomUUID } from 'node:crypto';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { RawConnection } from '../support/raw-connection';
import { send, type RawAnswer } from '../support/raw-http';

const ORIGIN = 'https://app.example.com';
const OTHER = 'https://evil.example.org';
const POST = `POST /api/users HTTP/1.1\r\nHost: a\r\nOrigin: ${ORIGIN}\r\nContent-Type: application/json\r\n`;
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const PROBLEM = 'application/problem+json';
const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'content-type': 'application/json; charset=utf-8',
  'x-content-type-options': 'nosniff',
  'x-request-id': expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
};

let service: TestService;

beforeAll(async () => {
  service = await startService(
    {
      FRONTEND_URL: `http://localhost:5173,${ORIGIN}`,
      API_KEYS: `crm:${'0'.repeat(64)}`,
      CONSUMER_ENABLED: 'false',
    },
    { httpLimits: { headersTimeoutMs: 300, requestTimeoutMs: 300, checkIntervalMs: 20 } },
  );
});

const ask = (method: string, path: string, headers: object, body?: unknown): Promise<RawAnswer> =>
  send(`${service.url}${path}`, { method, headers: { ...headers } }, JSON.stringify(body));

const post = (headers: object, body: unknown): Promise<RawAnswer> =>
  ask('POST', '/api/users', { 'Content-Type': 'application/json', ...headers }, body);

const answeredByTheApp: [number, string, string, (headers: object) => Promise<RawAnswer>][] = [
  [400, 'validation_failed', 'a bad registration', (headers) => post(headers, {})],
  [401, 'api_key_required', 'no API key', (headers) => ask('GET', '/api/users', headers)],
  [404, 'not_found', 'an unknown path', (headers) => ask('GET', '/api/nothing', headers)],
  [405, 'method_not_allowed', 'another method', (headers) => ask('DELETE', '/api/users', headers)],
  [
    409,
    'registration_in_progress',
    'a registration in progress',
    async (headers) => {
      const registration = buildRegistration();
      await post(headers, registration);
      return post(headers, { ...registration, firstName: 'Other' });
    },
  ],
  [413, 'body_too_large', 'a large body', (headers) => post(headers, 'x'.repeat(20_000))],
  [
    415,
    'unsupported_media_type',
    'a body of another type',
    (headers) => post({ ...headers, 'Content-Type': 'text/plain' }, {}),
  ],
  [
    422,
    'idempotency_key_reused',
    'a key of another registration',
    async (headers) => {
      const withKey = { ...headers, 'Idempotency-Key': randomUUID() };
      await post(withKey, buildRegistration());
      return post(withKey, buildRegistration());
    },
  ],
  [
    431,
    'headers_too_large',
    'too many headers',
    (headers) => {
      const many = Array.from({ length: 110 }, (_, index) => [`X-${index}`, 'y']);
      return ask('GET', '/', { ...headers, ...(Object.fromEntries(many) as object) });
    },
  ],
];

describe.each(answeredByTheApp)('%i %s for %s', (status, code, _what, asks) => {
  it('carries what every answer carries, and lets a listed origin read it', async () => {
    const answer = await asks({ Origin: ORIGIN });

    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      ...COMMON_HEADERS,
      'access-control-allow-origin': ORIGIN,
      'access-control-expose-headers': expect.stringContaining('Retry-After') as string,
      vary: 'Origin, Accept',
    });
  });

  it('tells other origins nothing', async () => {
    const { headers } = await asks({ Origin: OTHER });

    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers['vary']).toBe('Origin, Accept');
  });

  it('is a problem for those who ask for one, also from a page', async () => {
    const { headers, body } = await asks({ Origin: ORIGIN, Accept: `${PROBLEM}, */*` });

    expect(headers).toMatchObject({
      ...COMMON_HEADERS,
      'content-type': PROBLEM,
      'access-control-allow-origin': ORIGIN,
      vary: 'Origin, Accept',
    });
    expect(JSON.parse(body)).toMatchObject({ status, code });
  });
});

it.each([
  [400, 'no HTTP', `GET / HTTP/1.1\r\nOrigin: ${ORIGIN}\r\nno header\r\n\r\n`],
  [400, 'CONNECT', `CONNECT a:1 HTTP/1.1\r\nHost: a\r\nOrigin: ${ORIGIN}\r\n\r\n`],
  [400, 'no chunk', `${CHUNKED}zz\r\n`],
  [408, 'a body that does not come', `${POST}Content-Length: 9\r\n\r\n`],
  [408, 'headers that do not come', 'GET / HTTP/1.1\r\nHost'],
  [413, 'a long chunk extension', `${CHUNKED}2;${'a'.repeat(20_000)}\r\n{}\r\n`],
  [431, 'large headers', `GET / HTTP/1.1\r\nOrigin: ${ORIGIN}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
])(
  '%i for %s, which is no request, has an id, is not stored, and no Origin was read',
  async (status, _what, text) => {
    const { answers } = await RawConnection.exchange(service.url, text);

    expect(answers).toMatchObject([{ status, headers: { ...COMMON_HEADERS, vary: 'Accept' } }]);
    expect(answers[0]?.headers).not.toHaveProperty('access-control-allow-origin');
  },
);

it.each([
  [400, 'malformed_request', 'no chunk', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'],
  [408, 'request_timeout', 'a body that does not come', 'Content-Length: 9\r\n\r\n'],
])('%i %s for %s is a problem when the headers asked for one', async (status, code, _what, rest) => {
  const { answers } = await RawConnection.exchange(service.url, `${POST}Accept: ${PROBLEM}\r\n${rest}`);

  expect(answers).toMatchObject([{ status, headers: { 'content-type': PROBLEM, vary: 'Accept' } }]);
  expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ status, code });
});

it('says what it always said of what follows a request that asked for a problem', async () => {
  const request = `GET /api/nothing HTTP/1.1\r\nHost: a\r\nAccept: ${PROBLEM}\r\n\r\n`;
  const connection = await RawConnection.open(service.url);
  connection.send(request);
  await eventually(() => expect(connection.statuses).toEqual([404]));

  connection.send('no request\r\n\r\n');
  await connection.closed;

  expect(connection.answers.map(({ headers }) => headers['content-type'])).toEqual([
    PROBLEM,
    'application/json; charset=utf-8',
  ]);
});

it('what could not be read is measured as client_error, by status', async () => {
  const count = async (): Promise<number> => {
    const text = await (await fetch(`${service.metricsUrl}/metrics`)).text();
    const found =
      /^http_request_duration_seconds_count{method="other",route="client_error",status="400"} (\d+)$/m.exec(
        text,
      );
    return Number(found?.[1] ?? 0);
  };
  const before = await count();

  await RawConnection.exchange(service.url, 'hello\r\n\r\n');

  await eventually(async () => expect(await count()).toBe(before + 1));
});

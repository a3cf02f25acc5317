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

const post = (origin: string, body: unknown, headers: object = {}): Promise<RawAnswer> =>
  ask('POST', '/api/users', { Origin: origin, 'Content-Type': 'application/json', ...headers }, body);

const answeredByTheApp: [number, string, (origin: string) => Promise<RawAnswer>][] = [
  [400, 'a bad registration', (origin) => post(origin, {})],
  [401, 'no API key', (origin) => ask('GET', '/api/users', { Origin: origin })],
  [404, 'an unknown path', (origin) => ask('GET', '/api/nothing', { Origin: origin })],
  [405, 'another method', (origin) => ask('DELETE', '/api/users', { Origin: origin })],
  [
    409,
    'a registration in progress',
    async (origin) => {
      const registration = buildRegistration();
      await post(origin, registration);
      return post(origin, { ...registration, firstName: 'Other' });
    },
  ],
  [413, 'a large body', (origin) => post(origin, 'x'.repeat(20_000))],
  [415, 'a body of another type', (origin) => post(origin, {}, { 'Content-Type': 'text/plain' })],
  [
    422,
    'a key of another registration',
    async (origin) => {
      const key = { 'Idempotency-Key': randomUUID() };
      await post(origin, buildRegistration(), key);
      return post(origin, buildRegistration(), key);
    },
  ],
  [
    431,
    'too many headers',
    (origin) => {
      const many = Array.from({ length: 110 }, (_, index) => [`X-${index}`, 'y']);
      return ask('GET', '/', { Origin: origin, ...(Object.fromEntries(many) as object) });
    },
  ],
];

describe.each(answeredByTheApp)('%i for %s', (status, _what, asks) => {
  it('carries what every answer carries, and lets a listed origin read it', async () => {
    const answer = await asks(ORIGIN);

    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      ...COMMON_HEADERS,
      'access-control-allow-origin': ORIGIN,
      'access-control-expose-headers': expect.stringContaining('Retry-After') as string,
      vary: 'Origin',
    });
  });

  it('tells other origins nothing', async () => {
    const { headers } = await asks(OTHER);

    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers['vary']).toBe('Origin');
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

    expect(answers).toMatchObject([{ status, headers: COMMON_HEADERS }]);
    expect(answers[0]?.headers).not.toHaveProperty('access-control-allow-origin');
  },
);

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

import { randomUUID } from 'node:crypto';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { RawConnection } from '../support/raw-connection';

const ORIGIN = 'https://app.example.com';
const OTHER = 'https://evil.example.org';
const POST = 'POST /api/users HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

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

type Headers = Record<string, string>;

/** The status and headers of the only answer to these bytes. */
async function exchange(text: string): Promise<{ status: number | undefined; headers: Headers }> {
  const { received, statuses } = await RawConnection.exchange(service.url, text);
  const lines = received.slice(0, received.indexOf('\r\n\r\n')).split('\r\n').slice(1);
  const pairs = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ]);
  expect(statuses).toHaveLength(1);
  return { status: statuses[0], headers: Object.fromEntries(pairs) as Headers };
}

/** The same of a POST by this origin. */
async function post(
  origin: string,
  body: unknown,
  key?: string,
): Promise<{ status: number; headers: Headers }> {
  const request = service.http.post('/api/users').set('Origin', origin);
  if (key !== undefined) request.set('Idempotency-Key', key);
  const { status, headers } = await request.send(body as object);
  return { status, headers: headers };
}

type Ask = (origin: string) => Promise<{ status: number | undefined; headers: Headers }>;

const answeredByTheApp: [number, string, Ask][] = [
  [
    401,
    'no API key',
    (origin) =>
      exchange(`GET /api/users HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`),
  ],
  [
    409,
    'a registration in progress',
    async (origin) => {
      const registration = buildRegistration();
      await post(origin, registration);
      return post(origin, { ...registration, firstName: 'Other' });
    },
  ],
  [
    422,
    'a key of another body',
    async (origin) => {
      const key = randomUUID();
      await post(origin, buildRegistration(), key);
      return post(origin, buildRegistration(), key);
    },
  ],
  [
    431,
    'too many headers',
    (origin) => exchange(`GET / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n${'X: y\r\n'.repeat(110)}\r\n`),
  ],
];

const answeredBelowTheApp: [number, string, Ask][] = [
  [400, 'no HTTP', (origin) => exchange(`GET / HTTP/1.1\r\nOrigin: ${origin}\r\nno header\r\n\r\n`)],
  [400, 'CONNECT', (origin) => exchange(`CONNECT a:1 HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n\r\n`)],
  [
    400,
    'no chunk',
    (origin) => exchange(`${POST}Origin: ${origin}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`),
  ],
  [
    408,
    'a body that does not come',
    (origin) => exchange(`${POST}Origin: ${origin}\r\nContent-Length: 9\r\n\r\n`),
  ],
  [
    413,
    'a long chunk extension',
    (origin) =>
      exchange(
        `${POST}Origin: ${origin}\r\nTransfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}\r\n{}\r\n`,
      ),
  ],
  [408, 'headers that do not come', () => exchange('GET / HTTP/1.1\r\nHost')],
  [
    431,
    'large headers',
    (origin) => exchange(`GET / HTTP/1.1\r\nOrigin: ${origin}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
  ],
];

describe.each(answeredByTheApp)('%i for %s', (status, _what, ask) => {
  it('carries what every answer carries, and lets a listed origin read it', async () => {
    const answer = await ask(ORIGIN);

    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-expose-headers': expect.stringContaining('Retry-After') as string,
      vary: 'Origin',
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(UUID) as string,
    });
  });

  it('tells other origins nothing', async () => {
    const { headers } = await ask(OTHER);

    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers['vary']).toBe('Origin');
  });
});

describe.each(answeredBelowTheApp)('%i for %s, which is no request', (status, _what, ask) => {
  it('has an id, is not stored, and no Origin was read', async () => {
    const answer = await ask(ORIGIN);

    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(UUID) as string,
    });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('what could not be read', () => {
  it('is measured as client_error, by status', async () => {
    const count = async (): Promise<number> => {
      const text = await (await fetch(`${service.metricsUrl}/metrics`)).text();
      const found =
        /^http_request_duration_seconds_count{method="other",route="client_error",status="400"} (\d+)$/m.exec(
          text,
        );
      return Number(found?.[1] ?? 0);
    };
    const before = await count();

    await exchange('hello\r\n\r\n');

    await eventually(async () => expect(await count()).toBe(before + 1));
  });
});

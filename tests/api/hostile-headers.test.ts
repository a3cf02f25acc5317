import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import type { TestService } from '../support/harness';
import { KEY, startHeaderReader } from '../support/header-readers';
import type { LogLine } from '../support/recording-logger';
import { RawConnection } from '../support/raw-connection';

const MARK = 'Zq7wJ';
// The body parser's own errors quote in capitals.
const MARK_IN_ANY_CASE = new RegExp(MARK, 'i');
const WITH_KEY = `Authorization: Bearer ${KEY}`;

let service: TestService;

beforeAll(async () => {
  service = await startHeaderReader();
});

/** Sends one request, byte for byte, that asks for the end of its connection. */
const ask = (start: string, headers: readonly string[], body = ''): Promise<RawConnection> =>
  RawConnection.exchange(
    service.url,
    Buffer.from([start, 'Host: service', 'Connection: close', ...headers, '', body].join('\r\n'), 'latin1'),
  );

/** The headers of an answer, as they came. */
const headersOf = ({ received }: RawConnection): string[] =>
  received.slice(0, received.indexOf('\r\n\r\n')).split('\r\n').slice(1);

function expectNoTrace(connection: RawConnection, lines: readonly LogLine[]): void {
  expect(headersOf(connection).filter((line) => /^x-injected/i.test(line))).toEqual([]);
  expect(connection.received).not.toMatch(MARK_IN_ANY_CASE);
  expect(JSON.stringify(lines)).not.toMatch(MARK_IN_ANY_CASE);
}

/** What was logged from line `before` on, once the request's own line is there. */
const requestLogged = (before: number): Promise<readonly LogLine[]> =>
  eventually(() => {
    const lines = service.log.lines.slice(before);
    expect(lines.map(({ message }) => message)).toContain('request');
    return lines;
  });

/** By what they are to the service. */
const HOSTILE_VALUES = {
  'no HTTP': [`${MARK}\nX-Injected: 1`, `${MARK}\rX-Injected: 1`, `${MARK}\u001b[31m`, `${MARK}\0`],
  'the end of the headers': [`'${MARK}\r\n\r\nHTTP/1.1 200 OK`],
  'visible ASCII': [
    `!${MARK}\r\nX-Injected: 1`,
    `${MARK}%0d%0aX-Injected:1`,
    `${MARK}\\r\\nX-Injected:1`,
    `\${jndi:ldap://${MARK}}`,
  ],
  'other text': [
    `${MARK}\u00e5\u0098\u008a\u00e5\u0098\u008dX-Injected: 1`, // Latin-1 of code points that end in 0a and 0d
    `${MARK}\u009b2J`,
    `${MARK}"}\t{"level":"error"`,
    `${MARK}\u00ff\u00fe`,
    `${MARK}%0d%0aX-Injected: 1`,
    MARK.repeat(2000),
  ],
};

/** Requests that are in order but for this header: what precedes the value in it, and the status. */
const HEADERS: readonly (readonly [name: string, method: string, before: string, status: number])[] = [
  ...[
    'X-Request-Id',
    'Idempotency-Key',
    'Origin',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'Accept',
    'Accept-Encoding',
    'User-Agent',
    'Referer',
    'Cookie',
    'traceparent',
  ].map((name) => [name, 'POST', '', 201] as const),
  ['Content-Type', 'POST', '', 415],
  ['Content-Type', 'POST', 'application/json; charset=', 415],
  ['Authorization', 'GET', '', 401],
  ['Authorization', 'GET', 'Bearer ', 401],
  ['Access-Control-Request-Headers', 'OPTIONS', '', 204],
];

describe.each(HEADERS)('%s of a %s: %j', (name, method, before, statusOtherwise) => {
  const values = Object.entries(HOSTILE_VALUES).flatMap(([kind, list]) =>
    list.map((value) => [JSON.stringify(value).slice(0, 60), value, kind] as const),
  );

  function statusFor(kind: string): number {
    if (kind === 'no HTTP') return 400;
    // What follows is read as the body, and is no JSON.
    if (kind === 'the end of the headers' && statusOtherwise === 201) return 400;
    if (kind === 'other text' && name === 'Idempotency-Key') return 400;
    return statusOtherwise;
  }

  it.each(values)(
    'with %s gets its answer and never gets into a header, a body or the log',
    async (_what, value, kind) => {
      const linesBefore = service.log.lines.length;
      const body = method === 'POST' ? JSON.stringify(buildRegistration()) : '';
      const headers = [
        ...(method === 'POST' ? [`Content-Length: ${body.length}`] : []),
        ...(method === 'POST' && name !== 'Content-Type' ? ['Content-Type: application/json'] : []),
        ...(method === 'OPTIONS' ? ['Origin: http://localhost:5173'] : []),
        `${name}: ${before}${value}`,
      ];

      const connection = await ask(`${method} /api/users HTTP/1.1`, headers, body);

      expect(connection.statuses[0]).toBe(statusFor(kind));
      const lines =
        kind === 'no HTTP' ? service.log.lines.slice(linesBefore) : await requestLogged(linesBefore);
      expectNoTrace(connection, lines);
    },
  );
});

describe('request lines', () => {
  const escapes = ['%0d%0aX-Injected:%201', '%1b[31m', '%00', '%c2%9b2J', '%e5%98%8a%e5%98%8d', '"}%0a{'];

  it.each(
    escapes.flatMap((text) => [
      [`/${MARK}${text}`, 404] as const,
      [`/api/users/${MARK}${text}`, 400] as const,
      [`/api/users?${MARK}=${text}`, 200] as const,
    ]),
  )('with %s get their answer and never get into a header, a body or the log', async (path, status) => {
    const before = service.log.lines.length;

    const connection = await ask(`GET ${path} HTTP/1.1`, ['X-Request-Id: line-1', WITH_KEY]);

    expect(connection.statuses).toEqual([status]);
    expectNoTrace(connection, await requestLogged(before));
  });

  it.each([MARK, `GET\u001b[31m${MARK}`, `GET\n${MARK}`, `POST${MARK}`])(
    'with the method %j get one 400, and no line in the log',
    async (method) => {
      const before = service.log.lines.length;

      const connection = await ask(`${method} /api/users HTTP/1.1`, []);

      expect(connection.statuses).toEqual([400]);
      expect(JSON.stringify(service.log.lines.slice(before))).not.toContain(MARK);
    },
  );
});

describe('X-Request-Id', () => {
  it('is a new one when two are given', async () => {
    const connection = await ask('GET /api/users HTTP/1.1', ['X-Request-Id: a', 'X-Request-Id: b']);

    expect(headersOf(connection).filter((line) => /^x-request-id: [0-9a-f-]{36}$/i.test(line))).toHaveLength(
      1,
    );
  });
});

import { InMemoryUsers } from '../support/fakes';
import { startService, type TestService } from '../support/harness';
import { eventually } from '../support/eventually';
import { RawConnection } from '../support/raw-connection';
import { send } from '../support/raw-http';

const MARK = 'Zq7wJ';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let service: TestService;

beforeAll(async () => {
  service = await startService({ CONSUMER_ENABLED: 'false' }, { users: new InMemoryUsers() });
});

/** Sends one request, byte for byte, that asks for the end of its connection. */
const ask = (start: string, ...headers: string[]): Promise<RawConnection> =>
  RawConnection.exchange(
    service.url,
    Buffer.from([start, 'Host: service', ...headers, 'Connection: close', '', ''].join('\r\n'), 'latin1'),
  );

/** The headers of an answer, as they came. */
const headersOf = ({ received }: RawConnection): string[] =>
  received.slice(0, received.indexOf('\r\n\r\n')).split('\r\n').slice(1);

const HOSTILE_VALUES = [
  `"${MARK}\r\nX-Injected: 1`,
  `"${MARK}\r\n\r\nHTTP/1.1 200 OK`,
  `${MARK}\nX-Injected: 1`,
  `${MARK}\rX-Injected: 1`,
  `${MARK}%0d%0aX-Injected: 1`,
  `${MARK}\\r\\nX-Injected: 1`,
  `${MARK}\u00e5\u0098\u008a\u00e5\u0098\u008dX-Injected: 1`, // Latin-1 of code points that end in 0a and 0d
  `${MARK}\u001b[31m`,
  `${MARK}\u009b2J`,
  `${MARK}\0`,
  `${MARK}"}\t{"level":"error"`,
  `${MARK}\u00ff\u00fe`,
  `\${jndi:ldap://${MARK}}`,
  MARK.repeat(2000),
];
const HEADERS = [
  'X-Request-Id',
  'Idempotency-Key',
  'Origin',
  'Access-Control-Request-Headers',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Forwarded-Host',
  'Authorization',
  'Accept',
  'Accept-Encoding',
  'Content-Type',
  'User-Agent',
  'Referer',
  'Cookie',
  'traceparent',
];

describe.each(HEADERS)('%s', (name) => {
  it.each(HOSTILE_VALUES.map((value) => [JSON.stringify(value).slice(0, 60), value]))(
    'with %s never gets into a header, a body or the log',
    async (_what, value) => {
      const before = service.log.lines.length;

      const connection = await ask('POST /api/users HTTP/1.1', 'Content-Length: 0', `${name}: ${value}`);

      expect(connection.statuses[0]).toBeLessThan(500);
      expect(headersOf(connection).filter((line) => /^x-injected/i.test(line))).toEqual([]);
      expect(connection.received).not.toContain(MARK);
      expect(JSON.stringify(service.log.lines.slice(before))).not.toContain(MARK);
    },
  );
});

describe('request lines', () => {
  const escapes = ['%0d%0aX-Injected:%201', '%1b[31m', '%00', '%c2%9b2J', '%e5%98%8a%e5%98%8d', '"}%0a{'];

  it.each(
    escapes.flatMap((text) => [`/${MARK}${text}`, `/api/users/${MARK}${text}`, `/api/users?${MARK}=${text}`]),
  )('with %s never get into a header, a body or the log', async (path) => {
    const before = service.log.lines.length;

    const connection = await ask(`GET ${path} HTTP/1.1`, 'X-Request-Id: line-1');

    expect(connection.statuses).toHaveLength(1);
    expect(connection.statuses[0]).toBeLessThan(500);
    expect(headersOf(connection).filter((line) => /^x-injected/i.test(line))).toEqual([]);
    expect(connection.received).not.toContain(MARK);
    const lines = await eventually(() => {
      const found = service.log.lines.slice(before);
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
    expect(JSON.stringify(lines)).not.toContain(MARK);
  });

  it.each([MARK, `GET\u001b[31m${MARK}`, `GET\n${MARK}`, `POST${MARK}`])(
    'with the method %j get one 400, and no line in the log',
    async (method) => {
      const before = service.log.lines.length;

      const connection = await ask(`${method} /api/users HTTP/1.1`);

      expect(connection.statuses).toEqual([400]);
      expect(JSON.stringify(service.log.lines.slice(before))).not.toContain(MARK);
    },
  );
});

describe('X-Request-Id', () => {
  it('is a new one when the given one holds what a log or a terminal would act on', async () => {
    for (const given of ['a\tb', 'a\u009bb', 'a b', '${a}', '%0a', 'a"b']) {
      const connection = await ask('GET /api/users HTTP/1.1', `X-Request-Id: ${given}`);

      const [, id] = /^x-request-id: (.*)$/im.exec(headersOf(connection).join('\n')) ?? [];
      expect(id).toMatch(UUID);
    }
  });

  it('is a new one when two are given', async () => {
    const connection = await ask('GET /api/users HTTP/1.1', 'X-Request-Id: a', 'X-Request-Id: b');

    expect(headersOf(connection).filter((line) => /^x-request-id: [0-9a-f-]{36}$/i.test(line))).toHaveLength(
      1,
    );
  });
});

describe('the time a request takes', () => {
  const SHORT = 1500;
  const LONG = 8 * SHORT;
  // Eight times the length in eight times the time would be linear; quadratic time would be 64 times.
  const MAX_RATIO = 24;

  /** The fastest of several, in ms: what others do on the machine only adds. */
  async function fastest(name: string, value: string): Promise<number> {
    const times: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      const startedAt = performance.now();
      await send(`${service.url}/api/users`, { headers: { [name]: value } });
      times.push(performance.now() - startedAt);
    }
    return Math.min(...times);
  }

  const repeated: readonly (readonly [string, string, string])[] = [
    ['Accept', 'text/html;q=0.1,', '*'],
    ['Accept', ';'.repeat(8), 'a'],
    ['Accept-Encoding', 'gzip,', 'x'],
    ['Content-Type', 'application/json;a="\\', ''],
    ['Content-Type', '; charset=utf-8', ''],
    ['Content-Type', ' ', 'x'],
    ['Authorization', 'Bearer ', ''],
    ['Authorization', ' ', 'x'],
    ['Origin', 'http://a', ''],
    ['X-Forwarded-For', '1.1.1.1, ', '1'],
    ['X-Request-Id', 'a.', '!'],
    ['Cookie', 'a=b; ', ''],
    ['Access-Control-Request-Headers', 'x, ', ''],
    ['If-None-Match', 'W/"a", ', ''],
  ];

  it.each(repeated)('grows no faster than the header: %s of many %j', async (name, part, end) => {
    const value = (length: number): string => part.repeat(length / part.length) + end;

    const short = await fastest(name, value(SHORT));
    const long = await fastest(name, value(LONG));

    expect(long / short).toBeLessThan(MAX_RATIO);
  });
});

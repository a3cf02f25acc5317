import { buildRegistration } from '../support/builders';
import { InMemoryUsers } from '../support/fakes/postgres';
import { RecordingQueue } from '../support/fakes/kafka';
import { startService, type TestService } from '../support/harness';
import { RawConnection } from '../support/raw-connection';

const NOT_HTTP = 'Request is not valid HTTP';
const TOO_LARGE = 'Request headers are too large';
const BODY = JSON.stringify(buildRegistration());
const POST = 'POST /api/users HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const CHUNK = `${BODY.length.toString(16)}\r\n${BODY}\r\n`;
const LAST = '0\r\n\r\n';

const get = (...lines: string[]): string => ['GET /api/users HTTP/1.1', ...lines, '', ''].join('\r\n');
const chunked = (body: string): string => `${POST}${CHUNKED}\r\n${body}`;
const headers = (count: number): string[] => Array.from({ length: count }, (_, index) => `X-${index}: v`);

let service: TestService;
const queue = new RecordingQueue();

beforeAll(async () => {
  service = await startService({ CONSUMER_ENABLED: 'false' }, { users: new InMemoryUsers(), queue });
});

describe('a request that two servers in a row could read in two ways', () => {
  it.each([
    ['two lengths', `${POST}${LENGTH}Content-Length: 5\r\n\r\n${BODY}`],
    ['the same length twice', `${POST}${LENGTH}${LENGTH}\r\n${BODY}`],
    ['a list of lengths', `${POST}Content-Length: ${BODY.length}, ${BODY.length}\r\n\r\n${BODY}`],
    ['a length with a sign', `${POST}Content-Length: +${BODY.length}\r\n\r\n${BODY}`],
    ['a negative length', `${POST}Content-Length: -1\r\n\r\n${BODY}`],
    ['a hexadecimal length', `${POST}Content-Length: 0x${BODY.length.toString(16)}\r\n\r\n${BODY}`],
    ['a length beyond 64 bits', `${POST}Content-Length: ${'9'.repeat(30)}\r\n\r\n${BODY}`],
    ['an empty length', `${POST}Content-Length: \r\n\r\n${BODY}`],
    ['a blank before the colon', `${POST}Content-Length : ${BODY.length}\r\n\r\n${BODY}`],
    ['a length, then chunks', `${POST}${LENGTH}${CHUNKED}\r\n${CHUNK}${LAST}`],
    ['chunks, then a length', `${POST}${CHUNKED}${LENGTH}\r\n${CHUNK}${LAST}`],
    ['chunked twice', `${POST}${CHUNKED}${CHUNKED}\r\n${CHUNK}${LAST}`],
    ['chunked before something else', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n${CHUNK}${LAST}`],
    ['something else before chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n${CHUNK}${LAST}`],
    ['an unknown encoding', `${POST}Transfer-Encoding: xchunked\r\n\r\n${CHUNK}${LAST}`],
    ['the encoding identity', `${POST}Transfer-Encoding: identity\r\n\r\n${BODY}`],
    ['a vertical tab before chunked', `${POST}Transfer-Encoding: \vchunked\r\n\r\n${CHUNK}${LAST}`],
    ['chunks in HTTP/1.0', `${POST.replace('1.1', '1.0')}${CHUNKED}\r\n${CHUNK}${LAST}`],
    ['a folded header', get('Host: service', 'X-A: b', ' c: d')],
    ['a folded encoding', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n${CHUNK}${LAST}`],
    ['a fold before the first header', get(' Host: service')],
    ['bare line feeds', get('Host: service').replaceAll('\r\n', '\n')],
    ['a bare line feed in a header', get('Host: service', 'X-A: b\nX-B: c')],
    ['a bare line feed in the path', 'GET /api\nX: HTTP/1.1\r\nHost: service\r\n\r\n'],
    ['a bare carriage return in a header', get('Host: service', 'X-A: b\rX-B: c')],
    ['a NUL in a header', get('Host: service', 'X-A: b\0c')],
    ['a NUL in the path', 'GET /api\0 HTTP/1.1\r\nHost: service\r\n\r\n'],
    ['a header without a colon', get('Host: service', 'X-A')],
    ['a header without a name', get('Host: service', ': b')],
    ['a blank in a header’s name', get('Host: service', 'X A: b')],
    ['a blank in the path', 'GET /api users HTTP/1.1\r\nHost: service\r\n\r\n'],
    ['no Host', get('X-A: b')],
    ['two Hosts', get('Host: service', 'host: other')],
    ['HTTP/0.9', 'GET /api/users\r\n\r\n'],
    ['HTTP/2 without its preface', get('Host: service').replace('HTTP/1.1', 'HTTP/2.0')],
    ['CONNECT', 'CONNECT service:443 HTTP/1.1\r\nHost: service\r\n\r\n'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('gets one 400, closes the connection and registers nothing: %s', async (_what, text) => {
    const connection = await RawConnection.exchange(service.url, Buffer.from(text, 'latin1'));

    expect(connection.statuses).toEqual([400]);
    expect(connection.body).toEqual({ success: false, error: NOT_HTTP });
    expect(queue.published).toEqual([]);
  });

  it.each([
    ['no number', `zz\r\n${BODY}\r\n${LAST}`],
    ['none', `\r\n${BODY}\r\n${LAST}`],
    ['a negative number', `-1\r\n${BODY}\r\n${LAST}`],
    ['0x', `0x${CHUNK}${LAST}`],
    ['beyond 64 bits', `${'f'.repeat(17)}\r\n${BODY}\r\n${LAST}`],
    ['too small', `2\r\n${BODY}\r\n${LAST}`],
    ['with a blank after it', `${BODY.length.toString(16)} \r\n${BODY}\r\n${LAST}`],
    ['with a bare line feed', `${CHUNK}${LAST}`.replaceAll('\r\n', '\n')],
    ['with a bare line feed in its extension', `2;a\nb\r\n{}\r\n${LAST}`],
    ['with an extension of 20 kB', `2;${'a'.repeat(20_000)}\r\n{}\r\n${LAST}`],
    ['and a length in the trailer', `${CHUNK}0\r\nContent-Length: 7\r\n\r\n`],
  ])(
    'gets one 4xx, closes the connection and registers nothing: a chunk’s size is %s',
    async (_what, body) => {
      const connection = await RawConnection.exchange(service.url, chunked(body));

      expect(connection.statuses).toHaveLength(1);
      expect([400, 413]).toContain(connection.statuses[0]);
      expect(connection.body).toMatchObject({ success: false });
      expect(queue.published).toEqual([]);
    },
  );

  it('is not one: the same registration, plainly framed', async () => {
    for (const text of [`${POST}${LENGTH}Connection: close\r\n\r\n${BODY}`, chunked(`${CHUNK}${LAST}`)]) {
      const connection = await RawConnection.open(service.url);
      connection.send(text);
      connection.send(get('Host: service', 'Connection: close'));
      await connection.closed;

      expect(connection.statuses[0]).toBe(201);
    }
  });

  it.each([
    ['with a Host', 'Host: service\r\n', 200],
    ['without one', '', 200],
    ['with two', 'Host: service\r\nHost: other\r\n', 400],
  ])('HTTP/1.0, which nginx speaks to a service by default, %s', async (_what, hosts, status) => {
    const connection = await RawConnection.exchange(service.url, `GET /api/users HTTP/1.0\r\n${hosts}\r\n`);

    expect(connection.statuses).toEqual([status]);
  });
});

describe('headers', () => {
  it.each([
    ['101 fields', get('Host: service', 'Connection: close', ...headers(99)), TOO_LARGE],
    ['thousands of fields', get('Host: service', ...headers(1500)), TOO_LARGE],
    ['more than 16 kB in many fields', get('Host: service', ...headers(2500)), TOO_LARGE],
    ['a path of 17 kB', `GET /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: service\r\n\r\n`, TOO_LARGE],
  ])('are rejected with 431: %s', async (_what, text, error) => {
    const connection = await RawConnection.exchange(service.url, text);

    expect([connection.statuses, connection.body]).toEqual([[431], { success: false, error }]);
  });

  it('may be 100', async () => {
    const text = get('Host: service', 'Connection: close', ...headers(98));

    expect((await RawConnection.exchange(service.url, text)).statuses).toEqual([200]);
  });
});

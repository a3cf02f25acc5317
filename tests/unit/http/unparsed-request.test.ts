import { readWhole } from '../../../src/http/unparsed-request';

const read = (text: string) => readWhole(Buffer.from(text, 'latin1'));
const withHeaders = (...headers: readonly string[]) =>
  read(['POST /a?b=c HTTP/1.1', 'Host: a', ...headers, '', '{}'].join('\r\n'));

describe('readWhole', () => {
  it('reads what a refusal has to know of one whole request', () => {
    expect(withHeaders('origin:https://a.example', 'X-REQUEST-ID: mine', 'content-length: 2')).toEqual({
      method: 'POST',
      path: '/a?b=c',
      origin: 'https://a.example',
      requestId: 'mine',
    });
    expect(read('GET / HTTP/1.1\r\n\r\n')).toEqual({ method: 'GET', path: '/' });
  });

  it.each(['Connection: keep-alive', 'connection:Keep-Alive', 'X-Connection: close', 'Accept: expect'])(
    'takes %s for plain',
    (header) => {
      expect(withHeaders('Content-Length: 2', header)).toBeDefined();
    },
  );

  it.each([
    ['more than one', 'GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n'],
    ['less than one: in its headers', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['less than one: in its body', 'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}'],
    ['the rest of one', 'a: b\r\n\r\n'],
    ['another method', 'HEAD / HTTP/1.1\r\n\r\n'],
    ['another version', 'GET / HTTP/1.0\r\n\r\n'],
    ['what is no path', 'GET http://a/ HTTP/1.1\r\n\r\n'],
    ['no HTTP', '\x16\x03\x01\r\n\r\n'],
    ['nothing', ''],
  ])('does not read %s', (_what, text) => {
    expect(read(text)).toBeUndefined();
  });

  it.each([
    ['Transfer-Encoding: chunked'],
    ['Content-Length: 2', 'Transfer-Encoding: chunked'],
    ['Content-Length: 2', 'transfer-encoding : chunked'],
    ['Content-Length: 2', 'Content-Length: 2'],
    ['Content-Length: 2', 'content-length : 0'],
    ['Content-Length: 2', 'A: b\nContent-Length: 0'],
    ['Content-Length: 2, 2'],
    ['Content-Length: +2'],
    ['Content-Length: 2x'],
    ['Content-Length: 2 '],
    ['Content-Length: 2', 'Connection: keep-alive\t'],
    ['Content-Length: 2', 'Origin: https://a.example '],
    ['Content-Length: 2', 'Expect: 100-continue'],
    ['Content-Length: 2', 'Upgrade: websocket'],
    ['Content-Length: 2', 'Connection: close'],
    ['Content-Length: 2', 'Connection: keep-alive, upgrade'],
    ['Content-Length: 2', 'Proxy-Connection: close'],
    ['Content-Length: 2', 'Transfer-Encoding\v: chunked'],
    ['Content-Length: 2', 'Content-Length\0: 5'],
    ['Content-Length: 2', 'A: b\r\n c'],
    ['Content-Length: 2', 'A: b\0'],
    ['Content-Length: 2', `A: ${'b'.repeat(4096)}`],
  ])('leaves to the parser: %s %s', (...headers) => {
    expect(withHeaders(...headers)).toBeUndefined();
  });
});

const HEAD_END = '\r\n\r\n';
const REQUEST_LINE = /^(GET|POST) (\S+) HTTP\/1\.1\r\n/;
const LENGTHS = /[\r\n]content-length[ \t]*:([^\r\n]*)/gi;
const DIGITS = /^[ \t]*(\d+)[ \t]*$/;
// All that changes where a request ends, what its answer looks like, or what becomes of its connection.
const NOT_PLAIN =
  /[\r\n](?:(?:transfer-encoding|expect|upgrade)[ \t]*:|connection[ \t]*:(?![ \t]*keep-alive[ \t]*\r))/i;
const ORIGIN = /\r\norigin:[ \t]*([^\r\n]*)/i;
const REQUEST_ID = /\r\nx-request-id:[ \t]*([^\r\n]*)/i;

/** What can be said of a request without parsing it. */
export interface UnparsedRequest {
  readonly method: string;
  readonly path: string;
  readonly origin: string | undefined;
  readonly requestId: string | undefined;
}

/**
 * What `chunk` asks for, when it is one plain request from its first byte to its last; undefined when it is not or there
 * is any doubt. It stands at the beginning of a request: what comes before was one.
 */
export function readWhole(chunk: Buffer): UnparsedRequest | undefined {
  const end = chunk.indexOf(HEAD_END);
  if (end === -1) return undefined;
  // With the first of the two line ends, which every line has then.
  const head = chunk.toString('latin1', 0, end + 2);
  const line = REQUEST_LINE.exec(head);
  if (!line || NOT_PLAIN.test(head)) return undefined;
  const [length, another] = head.matchAll(LENGTHS);
  const bodyBytes = length ? Number(DIGITS.exec(length[1] ?? '')?.[1]) : 0;
  if (another || chunk.length !== end + HEAD_END.length + bodyBytes) return undefined;
  return {
    method: line[1] ?? '',
    path: line[2] ?? '',
    origin: ORIGIN.exec(head)?.[1],
    requestId: REQUEST_ID.exec(head)?.[1],
  };
}

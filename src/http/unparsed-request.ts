/** A larger request is not kept until its refusal is due, but parsed. */
const MAX_BYTES = 4096;
const HEAD_END = '\r\n\r\n';
const PLAIN_HEAD =
  /^(GET|POST) (\/[\x21-\x7e]*) HTTP\/1\.1\r\n(?:[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;
// All that changes where a request ends, what its answer looks like, or what becomes of its connection; and blanks behind
// a value, which do not belong to it.
const NOT_PLAIN =
  /[ \t]\r|\n(?:(?:transfer-encoding|expect|upgrade):|(?:proxy-)?connection:(?![ \t]*keep-alive\r))/i;
const LENGTHS = /\ncontent-length:([^\r]*)/gi;
const DIGITS = /^[ \t]*(\d+)$/;
const ORIGIN = /\norigin:[ \t]*([^\r]*)/i;
const REQUEST_ID = /\nx-request-id:[ \t]*([^\r]*)/i;

/** What can be said of a request without parsing it. */
export interface UnparsedRequest {
  readonly method: string;
  readonly path: string;
  readonly origin: string | undefined;
  readonly requestId: string | undefined;
}

/**
 * What `chunk` asks for, when it is one plain request from its first byte to its last; undefined when it is not, or there
 * is any doubt. Only for a chunk that begins where a request does.
 */
export function readWhole(chunk: Buffer): UnparsedRequest | undefined {
  const end = chunk.indexOf(HEAD_END);
  if (end === -1 || chunk.length > MAX_BYTES) return undefined;
  // Cut behind the CRLF of the last header: every line ends with one.
  const head = chunk.toString('latin1', 0, end + 2);
  const line = PLAIN_HEAD.exec(head);
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

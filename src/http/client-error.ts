import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { CommonHeaders, linesOf } from './common-headers';
import type { MeasureRequest } from './middleware/request-log';

type Answer = readonly [status: number, phrase: string, error: string];

const ANSWERS: Readonly<Record<string, Answer>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'Request headers are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Content Too Large', 'Request body is too large (limit 16 kB)'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'Request took too long'],
};
const NOT_HTTP: Answer = [400, 'Bad Request', 'Request is not valid HTTP'];
/** What stands in the metric for the route of what is no request. */
const ROUTE = 'broken';

// Time for the answer to arrive before the connection is cut under a client that goes on sending, or never closes.
const LINGER_MS = 1000;

const ORIGIN = /^origin:[ \t]*(\S+)[ \t]*\r?$/im;
const MAX_SEARCHED_BYTES = 16 * 1024;

/** Why Node cannot go on, with what it was reading, if that was the reason. */
export interface BrokenRequest extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

/** `origin`: of the request, when Node has read its headers. */
export type AnswerBrokenRequest = (error: BrokenRequest, socket: Duplex, origin?: string) => void;

/**
 * Answers what Node cannot read as HTTP in the API's shape, with what every answer carries, and closes the connection.
 * What is broken may hold no Origin that can be read; then there is no CORS header to give.
 */
export function createBrokenRequestAnswer(
  allowedOrigins: readonly string[],
  measure: MeasureRequest,
): AnswerBrokenRequest {
  const lines = new CommonHeaders(allowedOrigins, linesOf);
  return (error, socket, origin = originIn(error.rawPacket)) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const [status, phrase, text] = ANSWERS[error.code ?? ''] ?? NOT_HTTP;
    const body = JSON.stringify({ success: false, error: text });
    const head = [
      `HTTP/1.1 ${status} ${phrase}`,
      ...lines.for(origin),
      `X-Request-Id: ${randomUUID()}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    measure('', ROUTE, status, 0);
  };
}

function originIn(packet: Buffer | undefined): string | undefined {
  return packet && ORIGIN.exec(packet.toString('latin1', 0, MAX_SEARCHED_BYTES))?.[1];
}

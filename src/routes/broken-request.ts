import type { Duplex } from 'node:stream';

const ANSWERS: Readonly<Record<string, readonly [status: string, error: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'Request headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'Request took too long'],
};
const NOT_HTTP = ['400 Bad Request', 'Request is not valid HTTP'] as const;

// Time for the answer to arrive before the connection is cut under a client that goes on sending, or never closes.
const LINGER_MS = 1000;

/**
 * Answers what Node cannot read as HTTP in the API's shape, and closes the connection. Without a readable Origin there
 * is no CORS header to give.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, text] = ANSWERS[error.code ?? ''] ?? NOT_HTTP;
  const body = JSON.stringify({ success: false, error: text });
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

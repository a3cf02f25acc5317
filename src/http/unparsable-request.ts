import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorContent } from './problem-json';
import { errorResponse, type ErrorName } from './error-catalogue';

const NAMES: Readonly<Record<string, ErrorName>> = {
  HPE_HEADER_OVERFLOW: 'headersTooLarge',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'bodyTooLarge',
  ERR_HTTP_REQUEST_TIMEOUT: 'requestTimeout',
};
// Time for the response to arrive before the connection of a client that keeps sending, or never closes, is destroyed.
const LINGER_MS = 1000;

/**
 * Responds to what Node cannot parse as a request (its `clientError` event) in the form that `accept` asks for, without
 * CORS headers, then closes the connection. Returns the status; undefined when the client is gone.
 */
export function respondToClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  accept: string | undefined,
): number | undefined {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return undefined;
  }
  const response = errorResponse(NAMES[error.code ?? ''] ?? 'malformedRequest');
  const { contentType, body } = errorContent(response, accept);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}`,
    `Content-Type: ${contentType}`,
    'Vary: Accept',
    `X-Request-Id: ${randomUUID()}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  return response.status;
}

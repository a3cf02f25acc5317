import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { placesOf, undescribed, type Answer } from './api-document';

const CHANNEL = 'http.server.request.start';
const ports = new Set<number | undefined>();
const problems: string[] = [];
const seen = new Set<string>();
/** Ids of the requests whose answers went through Node's HTTP. */
const watched = new Set<string>();

/** From now on a test fails when this port, of this process, answers anything that the OpenAPI document does not say. */
export function watchAnswers(port: number): void {
  ports.add(port);
}

/**
 * The same for what a client has read: answers that the service writes past Node's HTTP are only seen there. They are
 * those to what is no request yet, so they have no path.
 */
export function checkUnread({ status, headers, body }: Pick<Answer, 'status' | 'headers' | 'body'>): void {
  if (status < 400 || watched.has(String(headers['x-request-id']))) return;
  check({ method: 'GET', path: '/unread', status, headers, body });
}

const watch = (message: unknown): void => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  if (!ports.has(request.socket.localPort)) return;
  const { method = '', url: path = '' } = request;
  const chunks = collectBody(response);
  response.once('finish', () => {
    const headers = headersOf(response);
    watched.add(String(headers['x-request-id']));
    // Cut off: what was to be written on it finishes, too, but no client has it.
    if (request.socket.destroyed) return;
    const { statusCode: status } = response;
    check({ method, path, status, headers, body: Buffer.concat(chunks).toString() });
  });
};

// As they were sent: getHeaders() does not know those that writeHead() was given.
function headersOf(response: ServerResponse): Record<string, string> {
  const { _header: head } = response as unknown as { _header: string };
  const lines = head.trimEnd().split('\r\n').slice(1);
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function check(answer: Answer): void {
  placesOf(answer).forEach((place) => seen.add(place));
  problems.push(...undescribed(answer));
}

function collectBody(response: ServerResponse): Buffer[] {
  const chunks: Buffer[] = [];
  for (const name of ['write', 'end'] as const) {
    const send = response[name].bind(response) as (...args: unknown[]) => never;
    response[name] = (...args: unknown[]) => {
      const [chunk] = args;
      if (typeof chunk === 'string' || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
      return send(...args);
    };
  }
  return chunks;
}

subscribe(CHANNEL, watch);
afterAll(() => {
  unsubscribe(CHANNEL, watch);
  appendFileSync(process.env['ANSWERS_SEEN'] ?? '', [...seen, ''].join('\n'));
});

afterEach(() => {
  expect(problems.splice(0)).toEqual([]);
});

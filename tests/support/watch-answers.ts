import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { undescribed } from './api-document';

const CHANNEL = 'http.server.request.start';
const ports = new Set<number | undefined>();
const problems: string[] = [];

/** From now on a test fails when this port, of this process, answers anything that the OpenAPI document does not say. */
export function watchAnswers(port: number): void {
  ports.add(port);
}

const watch = (message: unknown): void => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  if (!ports.has(request.socket.localPort)) return;
  const { method = '', url: path = '' } = request;
  const chunks = collectBody(response);
  response.once('finish', () => {
    // Cut off: what was to be written on it finishes, too, but nobody has it.
    if (request.socket.destroyed) return;
    const { statusCode: status } = response;
    const headers = response.getHeaders();
    problems.push(...undescribed({ method, path, status, headers, body: Buffer.concat(chunks).toString() }));
  });
};

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
afterAll(() => void unsubscribe(CHANNEL, watch));

afterEach(() => {
  expect(problems.splice(0)).toEqual([]);
});

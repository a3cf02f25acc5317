import { Agent, request, type OutgoingHttpHeaders } from 'node:http';

/** Status 0: the connection was refused or cut, or the time was over; `body` says which. */
export interface HttpResponse {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
  readonly durationMs: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

export interface RequestOptions {
  /** POST with a body, else GET. */
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** On a connection of its own, as Kubernetes probes: the service may close one that is idle at any moment. */
  readonly isProbe?: boolean;
}

/** Sends one request, with `body` as JSON, and never rejects. */
export function ask(
  url: string,
  timeoutMs: number,
  body?: unknown,
  { method, headers, isProbe }: RequestOptions = {},
): Promise<HttpResponse> {
  const startedAt = performance.now();
  const json = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve) => {
    const end = (status: number, text: string, retryAfter?: string): void =>
      resolve({ status, retryAfter, body: text, durationMs: performance.now() - startedAt });
    const options = {
      agent: isProbe ? false : agent,
      method: method ?? (json === undefined ? 'GET' : 'POST'),
      headers: { ...(json !== undefined && { 'Content-Type': 'application/json' }), ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    };
    const sent = request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => end(response.statusCode ?? 0, text, response.headers['retry-after']));
      response.on('error', (error) => end(0, error.message));
    });
    sent.on('error', (error) => end(0, error.message));
    sent.end(json);
  });
}

import autocannon from 'autocannon';
import { sampleRegistration } from './sample-registration';
import { quantile } from './statistics';

/** What to send: one JSON argument of this program. */
export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second in all; as many as possible without it. */
  readonly rate?: number;
  /** New e-mails begin with this. Without it the requests are GETs. */
  readonly emailPrefix?: string;
  /** GETs of `<prefix>-0@example.com` and so on below the URL, each in its turn, with this behind each. */
  readonly emails?: { readonly prefix: string; readonly count: number; readonly path?: string };
}

/** What came back: one JSON line on stdout. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers of 2xx. */
  readonly good: number;
  /** Of the answers of 2xx alone, from their own requests on. */
  readonly goodP50Ms: number;
  readonly goodP99Ms: number;
  readonly bad: number;
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, seconds, connections, rate } = options;
  const request = requestOf(options);
  const goodMs: number[] = [];
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(
      {
        url,
        connections,
        duration: seconds,
        ...(rate !== undefined && { overallRate: rate }),
        ...(request !== undefined && { requests: [request] }),
      },
      (error: Error | null, all) => (error ? reject(error) : resolve(all)),
    );
    running.on('response', (_client, status, _bytes, milliseconds) => {
      if (status < 300) goodMs.push(milliseconds);
    });
  });
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    good: result['2xx'],
    goodP50Ms: quantile(goodMs, 0.5),
    goodP99Ms: quantile(goodMs, 0.99),
    bad: result.non2xx + result.errors,
  };
}

/** Each request is another one; undefined when all are a GET of the URL. */
function requestOf({ url, emailPrefix, emails }: LoadOptions): autocannon.Request | undefined {
  let number = 0;
  if (emailPrefix !== undefined) {
    return {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      setupRequest: (request) => ({
        ...request,
        body: JSON.stringify(sampleRegistration(`${emailPrefix}-${(number += 1)}@example.com`)),
      }),
    };
  }
  if (emails === undefined) return undefined;
  const { pathname } = new URL(url);
  const path = (nth: number): string => `${pathname}/${emails.prefix}-${nth}@example.com${emails.path ?? ''}`;
  return { setupRequest: (request) => ({ ...request, path: path((number += 1) % emails.count) }) };
}

void load(JSON.parse(process.argv[2] ?? '{}') as LoadOptions).then((result) => {
  console.log(JSON.stringify(result));
});

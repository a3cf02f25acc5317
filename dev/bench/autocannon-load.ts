import autocannon from 'autocannon';
import type { LoadOptions, LoadResult } from './load-options';
import { sampleRegistration } from './sample-registration';

// A process of its own: its argument is one LoadOptions, its output one LoadResult, both in JSON.
async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, seconds, connections } = options;
  const request = requestOf(options);
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    autocannon(
      {
        url,
        connections,
        duration: seconds,
        ...(request !== undefined && { requests: [request] }),
      },
      (error: Error | null, all) => (error ? reject(error) : resolve(all)),
    );
  });
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    good: result['2xx'],
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

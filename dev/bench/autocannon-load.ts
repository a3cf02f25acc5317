import { randomInt } from 'node:crypto';
import autocannon from 'autocannon';
import { stride, type LoadOptions, type LoadResult } from './load-options';
import { sampleRegistration } from './sample-registration';

// A process of its own: its argument is one LoadOptions, its output one LoadResult, both in JSON.
async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, seconds, connections } = options;
  const requests = requestsOf(options);
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    autocannon(
      {
        url,
        connections,
        duration: seconds,
        ...(requests !== undefined && { requests }),
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

/** Undefined when all are a GET of the URL. */
function requestsOf({ url, emailPrefix, emails, paths }: LoadOptions): autocannon.Request[] | undefined {
  let number = 0;
  if (emailPrefix !== undefined) {
    return [
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        setupRequest: (request) => ({
          ...request,
          body: JSON.stringify(sampleRegistration(`${emailPrefix}-${(number += 1)}@example.com`)),
        }),
      },
    ];
  }
  if (emails === undefined) return paths?.map((path) => ({ path }));
  const { pathname } = new URL(url);
  const first = randomInt(emails.count);
  const path = (nth: number): string => `${pathname}/${emails.prefix}-${nth}@example.com${emails.path ?? ''}`;
  const next = (): number => (first + (number += 1) * stride) % emails.count;
  return [{ setupRequest: (request) => ({ ...request, path: path(next()) }) }];
}

void load(JSON.parse(process.argv[2] ?? '{}') as LoadOptions).then((result) => {
  console.log(JSON.stringify(result));
});

import autocannon from 'autocannon';

/** What to send: one JSON argument of this program. */
export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second in all; as many as possible without it. */
  readonly rate?: number;
  /** New e-mails begin with this. Without it the requests are GETs. */
  readonly emailPrefix?: string;
}

/** What came back: one JSON line on stdout. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly sent: number;
  /** Answers of 2xx. */
  readonly good: number;
  readonly bad: number;
}

async function load({ url, seconds, connections, rate, emailPrefix }: LoadOptions): Promise<LoadResult> {
  let number = 0;
  const body = (): string =>
    JSON.stringify({
      firstName: 'John',
      lastName: 'Doe',
      email: `${emailPrefix ?? ''}-${(number += 1)}@example.com`,
      gender: 'male',
      sex: 'male',
      occupation: 'Software Engineer',
    });
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    ...(rate !== undefined && { overallRate: rate }),
    ...(emailPrefix !== undefined && {
      requests: [
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          setupRequest: (request: autocannon.Request) => ({ ...request, body: body() }),
        },
      ],
    }),
  });
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    sent: result.requests.sent,
    good: result['2xx'],
    bad: result.non2xx + result.errors,
  };
}

void load(JSON.parse(process.argv[2] ?? '{}') as LoadOptions).then((result) => {
  console.log(JSON.stringify(result));
});

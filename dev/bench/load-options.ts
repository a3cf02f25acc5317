/** What to send. */
export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second in all; as many as possible without it. */
  readonly rate?: number;
  /** New e-mails begin with this. Without it the requests are GETs. */
  readonly emailPrefix?: string;
  /** GETs of `<prefix>-0@example.com` and so on below the URL, each in its turn, with `path` behind each. */
  readonly emails?: { readonly prefix: string; readonly count: number; readonly path?: string };
}

/** What came back. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers of 2xx. */
  readonly good: number;
  /** Other answers, and requests without one. */
  readonly bad: number;
  /** Of the answers of 2xx alone; only of loads with a rate. */
  readonly goodP50Ms?: number;
  readonly goodP99Ms?: number;
}

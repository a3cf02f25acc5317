/** What to send as fast as it is answered. */
export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** New e-mails begin with this. Without it the requests are GETs. */
  readonly emailPrefix?: string;
  /**
   * GETs of `<prefix>-0@example.com` to `<prefix>-<count - 1>@example.com` below the URL, with `path` behind each: from a
   * random one on, in steps of `stride`.
   */
  readonly emails?: { readonly prefix: string; readonly count: number; readonly path?: string };
  /** GETs of these paths in turn, instead of the URL's. */
  readonly paths?: readonly string[];
}

/** A prime: where it does not divide the count, all numbers come before one comes again, and a few are from all over. */
export const stride = 7919;

/** What came back. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers of 2xx. */
  readonly good: number;
  /** Other answers, and requests without one. */
  readonly bad: number;
}

/** POSTs of new e-mails, each at its time, whether those before it have been answered or not. */
export interface PacedOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second in all. */
  readonly rate: number;
  readonly emailPrefix: string;
  /**
   * As Date.now(): what is sent earlier does not count, and the seconds begin here. When left out, the moment at which
   * the sender has warmed up.
   */
  readonly countFrom?: number;
}

/** What came back. All times are from the moment at which a request was due. */
export interface PacedResult {
  /** Answers of 2xx to all that was sent, counted or not. */
  readonly accepted: number;
  readonly good: number;
  readonly bad: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the answers of 2xx alone. */
  readonly goodP50Ms: number;
  readonly goodP99Ms: number;
}

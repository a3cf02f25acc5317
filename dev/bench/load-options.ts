/** Requests that are sent as fast as responses come. */
export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** New emails begin with this. Without it the requests are GETs. */
  readonly emailPrefix?: string;
  /**
   * GETs of `<prefix>-0@example.com` to `<prefix>-<count - 1>@example.com` below the URL, each followed by `path`: from a
   * random one on, in steps of `stride`.
   */
  readonly emails?: { readonly prefix: string; readonly count: number; readonly path?: string };
  /** GETs of these paths in turn, instead of the URL's. */
  readonly paths?: readonly string[];
}

/** A prime: unless it divides the count every number comes once before one is repeated, and a few are from all over. */
export const stride = 7919;

/** The responses. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Responses of 2xx. */
  readonly good: number;
  /** Other responses, and requests without one. */
  readonly bad: number;
}

/** POSTs of new emails at a fixed rate, whatever the responses to earlier ones do. */
export interface PacedOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second, of all connections together. */
  readonly rate: number;
  readonly emailPrefix: string;
  /**
   * As Date.now(): earlier requests do not count, and the seconds begin here. By default when the sender has warmed up.
   */
  readonly countFrom?: number;
}

/** The responses. All times are from the moment at which a request was due. */
export interface PacedResult {
  /** Responses of 2xx to all requests, counted or not. */
  readonly accepted: number;
  readonly good: number;
  readonly bad: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the responses of 2xx alone. */
  readonly goodP99Ms: number;
}

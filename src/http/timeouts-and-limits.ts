/** What one client, or all of them together, may take of the listener. */
export const HTTP_LIMITS = {
  /**
   * Open connections; one more is closed at once. Worst case 46 kB each (230 MB in all) beside the 360 MB of a flood, in a
   * pod of 640 MB. The kernel's memory comes on top: see docs/performance.md.
   */
  maxConnections: 5000,
  /**
   * Those of one client address (IPv6: of a /56), where addresses are those of clients; one more is closed at once. One
   * cannot take them all. Hundreds of people may share one, and a browser opens at most 6.
   */
  maxConnectionsPerAddress: 500,
  /**
   * Requests in flight on one connection (pipelined); with one more, it is reset. Node reads a whole packet of requests
   * before it responds to the first. No browser pipelines at all.
   */
  maxPipelined: 10,
  /**
   * Bytes of all responses that wait for their clients; beyond, the connections with most of them are reset. 100 pages of
   * 1000 users.
   */
  maxBufferedResponseBytes: 32 * 1024 * 1024,
  /** Bytes of the request line and the headers; beyond: 431. Node's own, written down as NODE_OPTIONS could change it. */
  maxHeaderBytes: 16 * 1024,
  /** Silence between two requests. Above the idle timeout of load balancers (60 s), so that they close first. */
  keepAliveTimeoutMs: 65_000,
  /** Until the headers are there, counted from the connection or their first byte; beyond: 408. */
  headersTimeoutMs: 20_000,
  /** Until the body is there too; beyond: 408. */
  requestTimeoutMs: 30_000,
  /**
   * From the headers until the client has read its whole response; beyond, the connection is reset. Node has no such limit:
   * a client that reads a byte now and then could hold a response in memory for ever.
   */
  responseTimeoutMs: 60_000,
  /** How often the limits of time and of buffered bytes are checked. */
  checkIntervalMs: 1000,
};

export type HttpLimits = Readonly<typeof HTTP_LIMITS>;

/** The limits for these settings: behind proxies the addresses are theirs, and slow clients are theirs to hold off. */
export function httpLimits({ trustedProxyHops }: { readonly trustedProxyHops: number }): HttpLimits {
  return trustedProxyHops > 0 ? { ...HTTP_LIMITS, maxConnectionsPerAddress: Infinity } : HTTP_LIMITS;
}

/** What one client, or all of them together, may take of the listener. */
export interface HttpLimits {
  /** Open connections; one more is closed at once. */
  readonly maxConnections: number;
  /** Those of one client address (IPv6: of a /56), where addresses are those of clients; one more is closed at once. */
  readonly maxConnectionsPerAddress: number;
  /** Requests under way on one connection (pipelined); with one more, it is cut. */
  readonly maxPipelined: number;
  /** Bytes of all answers that wait for their clients; beyond, the connections with most of them are cut. */
  readonly maxUnsentBytes: number;
  /** Bytes of the request line and the headers; beyond: 431. */
  readonly maxHeaderBytes: number;
  /** Silence between two requests. */
  readonly keepAliveTimeoutMs: number;
  /** Until the headers are there, counted from the connection or their first byte; beyond: 408. */
  readonly headersTimeoutMs: number;
  /** Until the body is there too; beyond: 408. */
  readonly requestTimeoutMs: number;
  /** From the headers until the client has taken its whole answer; beyond, the connection is cut. */
  readonly answerTimeoutMs: number;
  /** How often the limits in time and of unsent bytes are looked at. */
  readonly checkIntervalMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  // Each costs up to 46 kB while 16 kB of headers and 16 kB of body are on their way: 230 MB in all, which a pod of 640 MB
  // just has beside the 360 MB that it takes in a flood and the unsent answers. What the kernel has taken of an answer
  // comes on top: 20 kB for a client that never reads, up to net.ipv4.tcp_wmem (4 MB) for one that read fast before. 450
  // clients with 10 requests each for 1000 users, or for the documentation's 1.7 MB, none of which they read: 256 MB and
  // 128 MB in all.
  maxConnections: 5000,
  // One address cannot take them all. Hundreds of people may share one, and a browser opens at most 6.
  maxConnectionsPerAddress: 500,
  // Node reads a whole packet of requests before the first is answered. No browser pipelines at all.
  maxPipelined: 10,
  // 100 pages of 1000 users.
  maxUnsentBytes: 32 * 1024 * 1024,
  // Node's own, written down because NODE_OPTIONS could change it.
  maxHeaderBytes: 16 * 1024,
  // Above the idle timeout of load balancers (60 s), so that they close first.
  keepAliveTimeoutMs: 65_000,
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 30_000,
  // Node has no such limit: who reads a byte now and then could hold an answer in memory for ever.
  answerTimeoutMs: 60_000,
  checkIntervalMs: 1000,
};

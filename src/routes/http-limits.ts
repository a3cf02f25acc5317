/** What one client, or all of them together, may take of the listener. */
export interface HttpLimits {
  /** Open connections; one more is closed at once. */
  readonly maxConnections: number;
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
  /** How often these three are looked at. */
  readonly checkIntervalMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  // Each costs up to 46 kB while 16 kB of headers and 16 kB of body are on their way: 230 MB in all, which a pod of 512 MB
  // still has beside the 180 MB that it takes under load. It answers 5,800 requests a second with 250 connections.
  maxConnections: 5000,
  // Node's own, written down because NODE_OPTIONS could change it.
  maxHeaderBytes: 16 * 1024,
  // Above the idle timeout of load balancers (60 s), so that they close first.
  keepAliveTimeoutMs: 65_000,
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 30_000,
  // Node has no such limit: who reads a byte now and then could hold an answer in memory for ever.
  answerTimeoutMs: 60_000,
  checkIntervalMs: 5000,
};

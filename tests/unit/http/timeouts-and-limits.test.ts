import { HTTP_LIMITS } from '../../../src/http/timeouts-and-limits';

// Other tests shorten the limits to see them at work; these are production's.
describe('HTTP_LIMITS', () => {
  it('are all on: Node takes 0 for no limit', () => {
    expect(Object.entries(HTTP_LIMITS).filter(([, limit]) => !(limit > 0 && limit < Infinity))).toEqual([]);
  });

  it('end a request that comes or goes too slowly within a minute', () => {
    const { headersTimeoutMs, requestTimeoutMs, responseTimeoutMs } = HTTP_LIMITS;

    expect(headersTimeoutMs).toBeLessThanOrEqual(20_000);
    expect(requestTimeoutMs).toBeGreaterThan(headersTimeoutMs);
    expect(requestTimeoutMs).toBeLessThanOrEqual(30_000);
    expect(responseTimeoutMs).toBeLessThanOrEqual(60_000);
  });

  it('keep what clients can make the process hold below a pod’s memory', () => {
    const { maxConnections, maxBufferedResponseBytes, maxHeaderBytes } = HTTP_LIMITS;
    const maxBodyBytes = 16 * 1024;

    expect(maxConnections * (maxHeaderBytes + maxBodyBytes)).toBeLessThan(200 * 1024 * 1024);
    expect(maxBufferedResponseBytes).toBeLessThanOrEqual(32 * 1024 * 1024);
  });

  it('leave connections to others, whatever one address takes', () => {
    const { maxConnections, maxConnectionsPerAddress } = HTTP_LIMITS;

    expect(maxConnectionsPerAddress).toBeLessThanOrEqual(maxConnections / 10);
  });
});

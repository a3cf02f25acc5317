import type { Contender } from '../contender';
import { connections, runLoad, runPacedLoad } from '../run-load';

let series = 0;

/**
 * POST of new emails by 64 connections that never pause. The CPU time is that of the server process until every
 * accepted registration is a row: a pipeline does half of its work later.
 */
export async function measurePosts(contender: Contender, seconds: number): Promise<Record<string, number>> {
  const rows = await contender.countRows();
  const cpu = contender.cpuMicroseconds;
  const result = await runLoad({
    url: `${contender.url}/api/users`,
    seconds,
    connections,
    emailPrefix: `full-${(series += 1)}`,
  });
  const endedAt = performance.now();
  await contender.untilStored(rows + result.good);
  const drainSeconds = (performance.now() - endedAt) / 1000;
  return {
    'POST requests/s': result.requestsPerSecond,
    // The sustainable rate: accepting faster than storing only makes a backlog.
    'rows/s, until the last one is stored': result.good / (seconds + drainSeconds),
    'POST p50, ms': result.p50Ms,
    'POST p99, ms': result.p99Ms,
    'CPU per POST, µs': (contender.cpuMicroseconds - cpu) / result.good,
  };
}

/** POST at a rate that every contender can take: latency and CPU below saturation. */
export async function measureHalfLoad(
  contender: Contender,
  seconds: number,
  rate: number,
): Promise<Record<string, number>> {
  const rows = await contender.countRows();
  const cpu = contender.cpuMicroseconds;
  const emailPrefix = `half-${(series += 1)}`;
  const url = `${contender.url}/api/users`;
  const result = await runPacedLoad({ url, seconds, connections, rate, emailPrefix });
  await contender.untilStored(rows + result.accepted);
  return {
    'POST p50 at half load, ms': result.p50Ms,
    'POST p99 at half load, ms': result.p99Ms,
    'CPU per POST at half load, µs': (contender.cpuMicroseconds - cpu) / result.accepted,
  };
}

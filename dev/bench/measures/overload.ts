import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender';
import { connections, runLoad } from '../run-load';

// Of one address no more than 500 are let in.
const manyConnections = 400;
const times = 3;
const recoverySeconds = 5;

let series = 0;

/** What happens at three times the load that a contender can take, and how soon it is over. */
export async function measureOverload(
  contender: Contender,
  seconds: number,
): Promise<Record<string, number>> {
  const url = `${contender.url}/api/users`;
  const full = (name: string, lasting: number) =>
    runLoad({ url, seconds: lasting, connections, emailPrefix: `${name}-${(series += 1)}` });
  const capacity = (await full('capacity', seconds)).requestsPerSecond;
  const load = runLoad({
    url,
    seconds,
    connections: manyConnections,
    rate: Math.round(times * capacity),
    emailPrefix: `over-${(series += 1)}`,
  });
  // Each connection costs memory; what counts is that it does not go on growing.
  await sleep((seconds * 1000) / 2);
  const rssHalfWay = contender.rssMb;
  const over = await load;
  const rssAfter = contender.rssMb;
  await full('recovering', recoverySeconds);
  const recovered = (await full('recovered', seconds)).requestsPerSecond;
  return {
    'overload: capacity, POST/s': capacity,
    'overload: accepted, % of capacity': (over.good / seconds / capacity) * 100,
    'overload: p50 of accepted, ms': over.goodP50Ms ?? NaN,
    'overload: p99 of accepted, ms': over.goodP99Ms ?? NaN,
    'overload: shed, requests/s': over.bad / seconds,
    'overload: memory, MB more in the second half': rssAfter - rssHalfWay,
    'overload: back 5 s later, % of capacity': (recovered / capacity) * 100,
  };
}

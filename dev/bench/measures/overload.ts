import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender';
import type { PacedResult } from '../load-options';
import { connections, runLoad, runPacedLoad } from '../run-load';

/** With the probes nearly all that one process of the service has: 5000. Seven times as many as it lets in at a time. */
const manyConnections = 4500;
/** Requests a second that tell how long an accepted one takes, among all the others. */
const probes = 100;
/** Refusals wait up to three seconds: of fewer connections none might be free when the next probe is due. */
const probeConnections = 3 * probes;
/** Seconds that the probes are there before the others, whose connecting fills the queue of new connections. */
const headStart = 3;
const recoverySeconds = 5;

let series = 0;

/**
 * What happens when clients ask for several times what a contender can do (they send again as soon as they are refused),
 * and how soon it is over.
 */
export async function measureOverload(
  contender: Contender,
  seconds: number,
): Promise<Record<string, number>> {
  const url = `${contender.url}/api/users`;
  const full = (name: string, lasting: number, clients = connections) =>
    runLoad({
      url,
      seconds: lasting,
      connections: clients,
      emailPrefix: `${name}-${(series += 1)}`,
    });
  const capacity = (await full('capacity', seconds)).requestsPerSecond;
  const probe = sendProbes(url, seconds);
  await sleep(headStart * 1000);
  const flood = full('over', seconds, manyConnections);
  // Each connection costs memory; what counts is that it does not go on growing.
  await sleep((seconds * 1000) / 2);
  const rssHalfWay = contender.rssMb;
  const [over, { goodP50Ms, goodP99Ms, good }] = await Promise.all([flood, probe]);
  const rssAfter = contender.rssMb;
  await full('recovering', recoverySeconds);
  const recovered = (await full('recovered', seconds)).requestsPerSecond;
  return {
    'overload: capacity, POST/s': capacity,
    'overload: asked, % of capacity': ((over.good + over.bad) / seconds / capacity) * 100,
    'overload: accepted, % of capacity': ((over.good + good) / seconds / capacity) * 100,
    'overload: p50 of accepted, ms': goodP50Ms,
    'overload: p99 of accepted, ms': goodP99Ms,
    'overload: memory, MB more in the second half': rssAfter - rssHalfWay,
    'overload: back 5 s later, % of capacity': (recovered / capacity) * 100,
  };
}

function sendProbes(url: string, seconds: number): Promise<PacedResult> {
  return runPacedLoad({
    url,
    seconds,
    connections: probeConnections,
    rate: probes,
    emailPrefix: `probe-${(series += 1)}`,
    countFrom: Date.now() + headStart * 1000,
  });
}

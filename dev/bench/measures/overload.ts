import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender';
import type { LoadOptions, LoadResult, PacedResult } from '../load-options';
import { connections, runLoad, runPacedLoad, tryLoad } from '../run-load';

/** With the probes nearly all of the service's 5,000 connections, and twelve times as many requests as it admits at once. */
const manyConnections = 4500;
/** Requests a second that tell the latency of accepted ones: the flood's own are sent again and again by rejected clients. */
const probes = 100;
/** A rejection may wait for seconds: of fewer connections none might be free when the next probe is due. */
const probeConnections = 3 * probes;
/** Seconds by which the probes connect before the flood fills the queue of new connections. */
const headStart = 3;
const recoverySeconds = 5;
const sampleMs = 1000;

let series = 0;

/**
 * A flood of clients that send again as soon as they get a response, and the recovery from it. The capacity is measured
 * right before, and again right after.
 */
export async function measureOverload(
  contender: Contender,
  seconds: number,
  floodSeconds: number,
): Promise<Record<string, number>> {
  const url = `${contender.url}/api/users`;
  const rows = await contender.countRows();
  const before = await sendAll(url, seconds);
  const capacity = before.requestsPerSecond;
  await contender.untilStored(rows + before.good);
  const probe = sendProbes(url, floodSeconds);
  await sleep(headStart * 1000);
  const flood = sendAll(url, floodSeconds, manyConnections);
  const [over, { goodP99Ms, good, accepted }, stored, peakMb] = await Promise.all([
    flood,
    probe,
    flood.then(() => contender.countRows()),
    peakRssMb(contender, flood),
  ]);
  const acceptedSoFar = rows + before.good + over.good + accepted;
  const recovering = await tryLoad(postsTo(url, recoverySeconds));
  const recovered = await sendAll(url, seconds);
  // The backlog of one must not slow down the next.
  await contender.untilStored(acceptedSoFar + recovering.good + recovered.good);
  return {
    'overload: capacity, POST/s': capacity,
    'overload: asked, % of capacity': (((over.good + over.bad) / floodSeconds + probes) / capacity) * 100,
    'overload: accepted, % of capacity': ((over.good + good) / floodSeconds / capacity) * 100,
    'overload: p99 of accepted, ms': goodP99Ms,
    'overload: accepted and not stored when the clients have left': acceptedSoFar - stored,
    'overload: memory at most, MB': peakMb,
    'overload: back 5 s later, % of capacity': (recovered.requestsPerSecond / capacity) * 100,
  };
}

/** The peak memory until `work` settles, in MB. */
async function peakRssMb(contender: Contender, work: Promise<unknown>): Promise<number> {
  const progress = { isOver: false };
  void work.finally(() => (progress.isOver = true)).catch(() => undefined);
  let peak = 0;
  while (!progress.isOver) {
    peak = Math.max(peak, contender.rssMb);
    await sleep(sampleMs);
  }
  return peak;
}

function sendAll(url: string, seconds: number, clients?: number): Promise<LoadResult> {
  return runLoad(postsTo(url, seconds, clients));
}

function postsTo(url: string, seconds: number, clients = connections): LoadOptions {
  return { url, seconds, connections: clients, emailPrefix: `overload-${(series += 1)}` };
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

import { setTimeout } from 'node:timers/promises';
import type { Contender } from '../contender';
import type { PacedResult } from '../load-options';
import { connections, runPacedLoad } from '../run-load';
import { gather } from './drain';

const seconds = 4;
/** The sender takes a moment to start and to warm up. */
const headStart = 3;
/** Longer drains are faster than those that gave the rate. */
const margin = 1.5;

let series = 0;

/**
 * POST at half of the contender's capacity, first alone and then while its consumer writes a backlog: what the backlog
 * costs the requests. In pairs, since the machine changes by more from minute to minute.
 */
export async function measurePostsDuringDrain(
  contender: Contender,
  rate: number,
  drainRate: number,
): Promise<Record<string, number>> {
  const rows = await contender.countRows();
  const alone = await runPosts(contender, rate);
  await contender.untilStored(rows + alone.accepted);
  const rowsAfter = await gather(contender, Math.ceil(drainRate * (headStart + seconds) * margin));
  const [during, written] = await Promise.all([runPosts(contender, rate), rowsPerSecond(contender)]);
  const isBacklogLeft = (await contender.countRows()) < rowsAfter;
  await contender.untilStored(rowsAfter + during.accepted);
  return {
    'POST p99 at half of its capacity, ms': alone.p99Ms,
    // NaN: the backlog ended before the load.
    'POST p99 at half of its capacity during a drain, ms': isBacklogLeft ? during.p99Ms : NaN,
    'rows/s meanwhile': written,
  };
}

/** During the load. By the last id: counting rows would take both cores from the POSTs. */
async function rowsPerSecond(contender: Contender): Promise<number> {
  await setTimeout(headStart * 1000);
  const before = await contender.lastId();
  const startedAt = performance.now();
  await setTimeout((seconds - 1) * 1000);
  return ((await contender.lastId()) - before) / ((performance.now() - startedAt) / 1000);
}

function runPosts({ url }: Contender, rate: number): Promise<PacedResult> {
  const emailPrefix = `drained-${(series += 1)}`;
  return runPacedLoad({ url: `${url}/api/users`, seconds, connections, rate, emailPrefix });
}

import type { Contender } from '../contender';
import { connections, runPacedLoad } from '../run-load';
import { gather } from './drain';

const seconds = 4;
/** The sender takes a moment to start and to warm up. */
const headStart = 3;
/** Longer drains are faster than those that gave the rate. */
const margin = 1.5;

let series = 0;

/** POST at half load while the consumer writes a backlog: what the one costs the other in a process that does both. */
export async function measurePostsDuringDrain(
  contender: Contender,
  rate: number,
  drainRate: number,
): Promise<Record<string, number>> {
  const rows = await gather(contender, Math.ceil(drainRate * (headStart + seconds) * margin));
  const { p99Ms, accepted } = await runPacedLoad({
    url: `${contender.url}/api/users`,
    seconds,
    connections,
    rate,
    emailPrefix: `drained-${(series += 1)}`,
  });
  const isBacklogLeft = (await contender.countRows()) < rows;
  await contender.untilStored(rows + accepted);
  // NaN: some were sent when the backlog was gone.
  return { 'POST p99 at half load during a drain, ms': isBacklogLeft ? p99Ms : NaN };
}

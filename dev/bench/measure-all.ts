import type { Contender } from './contender';
import { measureDrain } from './measures/drain';
import { measureIdle } from './measures/idle';
import { measureHalfLoad, measurePosts } from './measures/posts';
import { measurePostsDuringDrain } from './measures/posts-during-drain';
import { measureReads } from './measures/reads';
import { measureRowDelay } from './measures/row-delay';
import { roundSeconds, type Plan } from './plan';
import type { Measured, Results } from './report';

// Code that is not compiled yet and a cold broker understated this service by 5 to 20 %.
const warmUpSeconds = 15;

/** Takes one measure of each contender, or of those `among` them, in that many rounds. */
type Each = (
  what: string,
  rounds: number,
  measure: (contender: Contender) => Promise<Measured>,
  among?: readonly Contender[],
) => Promise<void>;

/** Measures what the plan asks for in interleaved rounds: what else the machine does affects every contender alike. */
export async function measureAll(running: readonly Contender[], plan: Plan, results: Results): Promise<void> {
  const each: Each = async (what, rounds, measure, among = running) => {
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of rotate(among, round)) {
        console.log(`${what}, round ${round + 1}: ${contender.recipe.title}`);
        results.add(contender.recipe.name, await measure(contender));
      }
    }
  };
  // The first start was that of the bench itself.
  await each('start again', plan.rounds - 1, async (contender) => ({
    'start, s': await contender.restart(),
  }));
  await each('warm-up', 1, uncounted(measurePosts, warmUpSeconds));
  await each('idle', plan.rounds, measureIdle);
  if (plan.specials.length === 0) await compare(running, plan, results, each);
  for (const { title, rounds, measure } of plan.specials) await each(title, rounds, measure);
}

async function compare(
  running: readonly Contender[],
  { rounds, drainRecords }: Plan,
  results: Results,
  each: Each,
): Promise<void> {
  await each('POST', rounds, (contender) => measurePosts(contender, roundSeconds));
  // Half of what the slowest one can take: the same rate for all.
  const capacities = running.map(({ recipe }) => results.medianOf('POST requests/s', recipe.name));
  const rate = Math.floor(Math.min(...capacities) / 2);
  await each(`${rate} POSTs a second`, rounds, (contender) => measureHalfLoad(contender, roundSeconds, rate));
  const pipelines = running.filter(({ recipe }) => recipe.isPipeline);
  await each('201 to row', rounds, (contender) => measureRowDelay(contender, roundSeconds, rate), pipelines);
  await each('drain', rounds, (contender) => measureDrain(contender, drainRecords), pipelines);
  const service = running.filter(({ recipe }) => recipe.name === 'service');
  await each('POST during a drain', rounds, (contender) => measureDuringDrain(contender, results), service);
  // Last: their rows would make every count of rows slower. They have code of their own to warm up.
  await each('warm-up of GET', 1, uncounted(measureReads, warmUpSeconds));
  await each('GET', rounds, (contender) => measureReads(contender, roundSeconds));
  await each('memory', 1, ({ rssMb }) => Promise.resolve({ 'memory at the end, MB': rssMb }));
}

function uncounted(
  measure: (contender: Contender, seconds: number) => Promise<Measured>,
  seconds: number,
): (contender: Contender) => Promise<Measured> {
  return async (contender) => {
    await measure(contender, seconds);
    return {};
  };
}

function measureDuringDrain(contender: Contender, results: Results): Promise<Measured> {
  const { name } = contender.recipe;
  const rate = Math.floor(results.medianOf('POST requests/s', name) / 2);
  return measurePostsDuringDrain(contender, rate, results.medianOf('drain, rows/s', name));
}

/** Each round begins with another one, so that what one leaves for the next meets every one alike, too. */
function rotate<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

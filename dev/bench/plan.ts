import { parseArgs } from 'node:util';
import type { Contender } from './contender';
import { contenders, type ContenderRecipe } from './contenders';
import { measureGrowth } from './measures/growth';
import { measureOverload } from './measures/overload';
import { measureReplicas } from './measures/replicas';
import { measureSoak } from './measures/soak';
import type { Measured } from './report';

const usage = `npm run bench [-- options]: this service beside what people would build instead, on the same servers

  --quick           three short rounds instead of five long ones
  --overload        4500 clients that send again as soon as they are answered, instead
  --soak            ten minutes of load (--quick: two), instead: memory
  --growth          a table of 1,000 and of 5,000,000 rows, and drains by one to three processes, instead
  --only <names>    ${contenders.map(({ name }) => name).join(', ')}; comma-separated`;

/** What is to be measured. */
export interface Plan {
  readonly chosen: readonly ContenderRecipe[];
  readonly rounds: number;
  readonly seconds: number;
  /** Rounds of what takes long: starts and drains. */
  readonly fewRounds: number;
  readonly drainRecords: number;
  /** Instead of the comparison. */
  readonly specials: readonly Special[];
}

interface Special {
  readonly title: string;
  readonly rounds: number;
  readonly measure: (contender: Contender) => Promise<Measured>;
}

/** The arguments make no sense. */
export class UsageError extends Error {}

/** What the arguments ask for. Undefined when there is nothing to run. */
export function readPlan(): Plan | undefined {
  const { help, quick, only, overload, soak, growth } = parse();
  if (help) {
    console.log(usage);
    return undefined;
  }
  const names = only?.split(',') ?? contenders.map(({ name }) => name);
  const chosen = names.map((name) => {
    const recipe = contenders.find((each) => each.name === name);
    if (recipe === undefined) throw new UsageError(`There is no contender "${name}"\n${usage}`);
    return recipe;
  });
  const size = quick
    ? { rounds: 3, seconds: 5, fewRounds: 1, drainRecords: 20_000 }
    : { rounds: 5, seconds: 8, fewRounds: 3, drainRecords: 100_000 };
  const specials: Special[] = [];
  if (overload)
    specials.push({
      title: 'overload',
      rounds: size.rounds,
      measure: (contender) => measureOverload(contender, size.seconds, quick ? 20 : 60),
    });
  if (soak)
    specials.push({
      title: 'soak',
      rounds: 1,
      measure: (contender) => measureSoak(contender, quick ? 2 : 10),
    });
  if (growth) {
    specials.push({ title: 'growth', rounds: 1, measure: measureGrowth });
    specials.push({
      title: 'replicas',
      rounds: 1,
      measure: (contender) => measureReplicas(contender, size.drainRecords),
    });
  }
  return { chosen, specials, ...size };
}

function parse() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        overload: { type: 'boolean', default: false },
        growth: { type: 'boolean', default: false },
        soak: { type: 'boolean', default: false },
        only: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}

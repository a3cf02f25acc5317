import { parseArgs } from 'node:util';
import type { Contender } from './contender';
import { contenders, type ContenderRecipe } from './contenders';
import { measureGrowth } from './measures/growth';
import { measureOverload } from './measures/overload';
import { measureReplicas } from './measures/replicas';
import { measureSoak } from './measures/soak';
import type { Measured } from './report';

const usage = `npm run bench [-- options]: this service beside what people would build instead, on the same servers

  --quick           one round instead of three, with shorter drains, floods and soaks
  --overload        instead: 4,500 clients that send again at once, five floods
  --soak            instead: memory in ten minutes of load (--quick: two)
  --growth          instead: tables of 1,000 and of 5,000,000 rows, and drains by one to three processes
  --only <names>    ${contenders.map(({ name }) => name).join(', ')}; comma-separated`;

/** The seconds of one round of load. Shorter ones understate this service, which has the most code to compile. */
export const roundSeconds = 15;

/** What is to be measured. */
export interface Plan {
  readonly chosen: readonly ContenderRecipe[];
  readonly rounds: number;
  readonly drainRecords: number;
  /** Instead of the comparison. */
  readonly specials: readonly Special[];
}

interface Special {
  readonly title: string;
  readonly rounds: number;
  readonly measure: (contender: Contender) => Promise<Measured>;
}

/** The arguments are not valid; the message is for the user. */
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
  const rounds = quick ? 1 : 3;
  const drainRecords = quick ? 20_000 : 100_000;
  const specials: Special[] = [];
  if (overload)
    specials.push({
      title: 'overload',
      rounds: quick ? 1 : 5,
      measure: (contender) => measureOverload(contender, roundSeconds, quick ? 20 : 60),
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
      measure: (contender) => measureReplicas(contender, drainRecords),
    });
  }
  return { chosen, rounds, drainRecords, specials };
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

import { parseArgs } from 'node:util';
import { LocalStackError } from '../local-stack/local-stack-error';
import { startLocalStack } from '../local-stack/local-stack';
import { onStopSignals } from '../stop-signals';
import { describeCircumstances } from './circumstances';
import { Contender } from './contender';
import { contenders, type ContenderRecipe } from './contenders';
import { measureDrain } from './measures/drain';
import { measureGrowth } from './measures/growth';
import { measureIdle } from './measures/idle';
import { measureOverload } from './measures/overload';
import { measureHalfLoad, measurePosts } from './measures/posts';
import { measureReads } from './measures/reads';
import { measureReplicas } from './measures/replicas';
import { measureSoak } from './measures/soak';
import { Results, type Measured } from './report';

const usage = `npm run bench [-- options]: this service beside what people would build instead, on the same servers

  --quick           three short rounds instead of five long ones
  --overload        three times the load that it can take, instead
  --soak            ten minutes of load (--quick: two), instead: memory
  --growth          a table of 1,000 and of 5,000,000 rows, and drains by one to three processes, instead
  --only <names>    ${contenders.map(({ name }) => name).join(', ')}; comma-separated`;

// As production would run it, not as tests do: room, and the JIT's last stage.
const kafkaJvm = ['-Xms512m', '-Xmx512m'];
// Its documentation's advice is a quarter of the memory; the default, 128 MB, is less than one index of 5,000,000 rows.
const postgresSettings = ['shared_buffers=1GB'];
// The JIT takes its time.
const warmUpSeconds = 15;

interface Plan {
  readonly chosen: readonly ContenderRecipe[];
  readonly rounds: number;
  readonly seconds: number;
  readonly drainRecords: number;
  /** Instead of the comparison. */
  readonly specials: readonly Special[];
}

interface Special {
  readonly title: string;
  readonly measure: (contender: Contender) => Promise<Measured>;
}

class UsageError extends Error {}

/** `npm run bench`. Rounds are interleaved: what else the machine does meanwhile meets every contender alike. */
async function runBench(): Promise<void> {
  onStopSignals(
    () => process.exit(130),
    () => process.exit(130),
  );
  const plan = readPlan();
  if (plan === undefined) return;
  const stack = await startLocalStack({
    services: ['postgres', 'redis', 'kafka'],
    durable: true,
    kafka: { jvmOptions: kafkaJvm },
    postgres: { settings: postgresSettings },
    report: console.log,
  });
  const results = new Results();
  const running: Contender[] = [];
  for (const [nth, recipe] of plan.chosen.entries()) {
    const contender = await Contender.start(recipe, stack.env, nth);
    results.add(recipe.name, {
      'start, s': contender.startSeconds,
      'memory after the start, MB': contender.rssMb,
    });
    running.push(contender);
  }
  await measureAll(running, plan, results);
  const circumstances = await describeCircumstances(stack.env);
  const kept = await results.keep(circumstances);
  console.log(`\n${results.table}\n\n${JSON.stringify(circumstances)}\nall values: ${kept}`);
  await Promise.all(running.map((contender) => contender.stop()));
  await stack.kill();
  process.exit(0);
}

async function measureAll(running: readonly Contender[], plan: Plan, results: Results): Promise<void> {
  const { rounds, seconds, drainRecords } = plan;
  const each = async (
    what: string,
    measure: (contender: Contender) => Promise<Record<string, number>>,
  ): Promise<void> => {
    for (const contender of running) {
      console.log(`${what}: ${contender.recipe.title}`);
      const measured = await measure(contender);
      if (!what.startsWith('warm-up')) results.add(contender.recipe.name, measured);
    }
  };
  await each('idle', measureIdle);
  await each('warm-up', (contender) => measurePosts(contender, warmUpSeconds));
  for (const { title, measure } of plan.specials) {
    for (const contender of running) {
      console.log(`${title}: ${contender.recipe.title}`);
      results.add(contender.recipe.name, await measure(contender));
    }
  }
  if (plan.specials.length > 0) return;
  for (let round = 1; round <= rounds; round += 1) {
    await each(`round ${round}, POST`, (contender) => measurePosts(contender, seconds));
  }
  // Half of what the slowest one can take: the same rate for all.
  const capacities = running.map(({ recipe }) => results.medianOf('POST requests/s', recipe.name));
  const rate = Math.floor(Math.min(...capacities) / 2);
  for (let round = 1; round <= rounds; round += 1) {
    await each(`round ${round}, ${rate} POSTs a second`, (contender) =>
      measureHalfLoad(contender, seconds, rate),
    );
    await each(`round ${round}, GET`, (contender) => measureReads(contender, seconds));
  }
  for (const contender of running.filter(({ recipe }) => recipe.isPipeline)) {
    console.log(`drain: ${contender.recipe.title}`);
    results.add(contender.recipe.name, await measureDrain(contender, drainRecords));
  }
  for (const { recipe, rssMb } of running) results.add(recipe.name, { 'memory at the end, MB': rssMb });
}

/** Undefined when there is nothing to run. */
function readPlan(): Plan | undefined {
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
    ? { rounds: 3, seconds: 5, drainRecords: 20_000 }
    : { rounds: 5, seconds: 12, drainRecords: 100_000 };
  const specials: Special[] = [];
  if (overload)
    specials.push({
      title: 'overload',
      measure: (contender) => measureOverload(contender, size.seconds * 2),
    });
  if (soak) specials.push({ title: 'soak', measure: (contender) => measureSoak(contender, quick ? 2 : 10) });
  if (growth) {
    specials.push({ title: 'growth', measure: measureGrowth });
    specials.push({
      title: 'replicas',
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

runBench().catch((error: unknown) => {
  const isForeseen = error instanceof UsageError || error instanceof LocalStackError;
  console.error(isForeseen ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
});

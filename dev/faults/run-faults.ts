import { parseArgs } from 'node:util';
import { LocalStackError } from '../local-stack/local-stack-error';
import { onStopSignals } from '../stop-signals';
import { runScenario } from './run-scenario';
import { randomScenario } from './random-scenario';
import type { Outcome } from './outcome';
import { formatOutcome, formatTable, keepResults, keepViolations, showProgress } from './report';
import type { Scenario } from './scenario';
import { scenarios } from './scenarios/all';

const usage = `Usage: npm run faults -- [options]
  --list                     the scenarios, one a line
  --scenario NAME[,NAME...]  only these
  --random --minutes N       a random sequence of faults on one set of servers (--seed repeats it)
  --seed S                   of the random numbers (1)
  --seconds N                load in each scenario (60)
  --rate N                   registrations a second (200)
  --json                     the results as JSON instead of a table`;

class UsageError extends Error {}

interface Options {
  readonly chosen: readonly Scenario[];
  readonly seconds: number;
  readonly perSecond: number;
  readonly seed: number;
  readonly isJson: boolean;
}

/** `npm run faults`: injects faults into the service and its servers, and checks that its promises hold. */
async function runFaults(): Promise<void> {
  // The child processes end with this one.
  onStopSignals(
    () => process.exit(130),
    () => process.exit(130),
  );
  const options = readOptions();
  if (options === undefined) return;
  const outcomes: Outcome[] = [];
  for (const scenario of options.chosen) {
    outcomes.push(await runOne(scenario, options));
    await keepResults(outcomes);
  }

  console.log(options.isJson ? JSON.stringify(outcomes, undefined, 2) : `\n${formatTable(outcomes)}`);
  process.exit(outcomes.every(({ violations }) => violations.length === 0) ? 0 : 1);
}

async function runOne(scenario: Scenario, options: Options): Promise<Outcome> {
  if (!options.isJson) showProgress(`${scenario.name}: starting the servers`);
  const report = options.isJson ? (): void => undefined : showProgress;
  const outcome = await runScenario(scenario, { ...options, report });
  const kept = await keepViolations(outcome);
  if (!options.isJson) console.log(formatOutcome(outcome, kept));
  return outcome;
}

/** Undefined when there is nothing to run. */
function readOptions(): Options | undefined {
  const { values } = parse();
  if (values.help || values.list) {
    console.log(
      values.help ? usage : scenarios.map(({ name, title }) => `${name.padEnd(30)} ${title}`).join('\n'),
    );
    return undefined;
  }
  const seed = toNumber('seed', values.seed);
  const common = {
    seconds: toNumber('seconds', values.seconds),
    perSecond: toNumber('rate', values.rate),
    seed,
    isJson: values.json,
  };
  if (values.random)
    return { ...common, chosen: [randomScenario(toNumber('minutes', values.minutes), seed)] };
  return { ...common, chosen: values.scenario === undefined ? scenarios : named(values.scenario.split(',')) };
}

function parse() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        scenario: { type: 'string' },
        random: { type: 'boolean', default: false },
        minutes: { type: 'string', default: '20' },
        seed: { type: 'string', default: '1' },
        seconds: { type: 'string', default: '60' },
        rate: { type: 'string', default: '200' },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}

function toNumber(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--${option} must be a number above 0, not "${text}"`);
}

function named(names: readonly string[]): Scenario[] {
  return names.map((name) => {
    const scenario = scenarios.find((each) => each.name === name);
    if (scenario === undefined) throw new UsageError(`There is no scenario "${name}": see --list`);
    return scenario;
  });
}

runFaults().catch((error: unknown) => {
  const isExpected = error instanceof UsageError || error instanceof LocalStackError;
  console.error(isExpected ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
});

import { LocalStackError } from '../local-stack/local-stack-error';
import { startLocalStack } from '../local-stack/local-stack';
import { onStopSignals } from '../stop-signals';
import { describeCircumstances } from './circumstances';
import { Contender } from './contender';
import { measureAll } from './measure-all';
import { readPlan, UsageError } from './plan';
import { Results } from './report';

// As in production, unlike in tests: heap, and the JIT's last stage.
const kafkaJvm = ['-Xms512m', '-Xmx512m'];
// PostgreSQL's documentation advises a quarter of the memory; the default, 128 MB, is less than one index of 5,000,000 rows.
const postgresSettings = ['shared_buffers=1GB'];

/** `npm run bench`. */
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

runBench().catch((error: unknown) => {
  const isExpected = error instanceof UsageError || error instanceof LocalStackError;
  console.error(isExpected ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
});

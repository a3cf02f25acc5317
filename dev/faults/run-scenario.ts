import { withTimeout } from '../../src/runtime/timeout';
import { FaultRun, type FaultRunOptions } from './fault-run';
import { judge } from './judge';
import type { Outcome } from './outcome';
import { folderOf } from './report';
import { faultLimitSeconds, type Scenario } from './scenario';
import { TestBed } from './test-bed';

// Recovery, draining, memory, judging: all their waits together, and the same again to spare.
const afterFaultLimitSeconds = 500;

/** Runs one scenario on servers of its own, from their start to the judgement. */
export async function runScenario(scenario: Scenario, options: FaultRunOptions): Promise<Outcome> {
  const bed = await TestBed.start(scenario, folderOf(scenario.name));
  try {
    const limitSeconds = options.seconds + faultLimitSeconds(scenario) + afterFaultLimitSeconds;
    const tooLong = (): Error => new Error(`${scenario.name} did not end within ${limitSeconds} s`);
    return await withTimeout(playAndJudge(scenario, bed, options), limitSeconds * 1000, tooLong);
  } finally {
    await bed.stop();
  }
}

async function playAndJudge(scenario: Scenario, bed: TestBed, options: FaultRunOptions): Promise<Outcome> {
  const run = new FaultRun(scenario, bed, options);
  const progress = setInterval(() => options.report(run.progressLine), 1000);
  try {
    await run.play();
    return await judge(run);
  } finally {
    clearInterval(progress);
  }
}

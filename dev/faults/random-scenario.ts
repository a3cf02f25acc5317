import { lag } from '../../tests/support/kafka-tools';
import { eventually } from './eventually';
import { inspected } from './inspect';
import { Random } from './random';
import { readAgain } from './read-again';
import type { Scenario } from './scenario';
import { scenarios } from './scenarios/all';

const spareSeconds = 480;
const readAgainSeconds = 180;

/** Random faults on the same servers for `minutes`, then everything is read again; the same seed gives the same sequence. */
export function randomScenario(minutes: number, seed: number): Scenario {
  const faults = scenarios.filter(({ isRepeatable }) => isRepeatable);
  return {
    name: `random-${seed}`,
    title: `random faults for ${minutes} minutes, seed ${seed}`,
    tolerates: [...new Set(faults.flatMap(({ tolerates }) => tolerates)), 'repeats'],
    limitSeconds: minutes * 60 + spareSeconds,
    async run(stage) {
      const random = new Random(seed);
      const endsAt = performance.now() + minutes * 60_000;
      while (performance.now() < endsAt) {
        const fault = random.pick(faults);
        stage.announce(fault.name);
        await fault.run(stage);
        await stage.untilWell();
        await stage.bed.hold(random.between(1, 8));
      }
      stage.announce('reads everything again');
      await readAgain(stage);
      await stage.traffic.pause(30);
      await eventually('lag is 0', readAgainSeconds, async () => (await lag(inspected(stage.bed.env))) === 0);
      stage.traffic.start();
    },
  };
}

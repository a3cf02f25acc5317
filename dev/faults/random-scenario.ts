import { Random } from './random';
import type { Scenario } from './scenario';
import { scenarios } from './scenarios/all';

const spareSeconds = 300;

/** Random faults on the same servers for `minutes`; the same seed gives the same sequence. */
export function randomScenario(minutes: number, seed: number): Scenario {
  const faults = scenarios.filter(({ isRepeatable }) => isRepeatable);
  return {
    name: `random-${seed}`,
    title: `random faults for ${minutes} minutes, seed ${seed}`,
    tolerates: [...new Set(faults.flatMap(({ tolerates }) => tolerates))],
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
    },
  };
}

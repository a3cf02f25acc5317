import type { Scenario } from '../scenario';
import { erasureScenarios } from './erasures';
import { everyServer } from './every-server';
import { kafkaScenarios } from './kafka';
import { postgresScenarios } from './postgres';
import { redisScenarios } from './redis';
import { serviceScenarios } from './service';
import { setUpScenarios } from './set-up';

const noFault: Scenario = {
  name: 'none',
  title: 'no fault at all: what the others are compared with; no id may be skipped',
  tolerates: [],
  run: ({ bed }) => bed.hold(10),
};

/** Every scenario, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  noFault,
  ...everyServer,
  ...postgresScenarios,
  ...redisScenarios,
  ...kafkaScenarios,
  ...setUpScenarios,
  ...serviceScenarios,
  ...erasureScenarios,
];

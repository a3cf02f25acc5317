import type { Violation } from './invariants';

/** The result of one scenario. */
export interface Outcome {
  readonly scenario: string;
  readonly violations: readonly Violation[];
  readonly figures: Readonly<Record<string, number>>;
}

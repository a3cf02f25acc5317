import type { Violation } from './invariants';

/** What came of one scenario. */
export interface Outcome {
  readonly scenario: string;
  readonly violations: readonly Violation[];
  readonly figures: Readonly<Record<string, number>>;
}

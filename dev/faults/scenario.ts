import type { Registration } from '../../src/domain/registration';
import type { Balancer } from './balancer';
import type { BedNeeds, TestBed } from './test-bed';
import type { Traffic } from './traffic';

/**
 * What a scenario may cause that is a broken promise in any other:
 * - conflicts: an accepted registration may become a `conflict` dead letter (Redis lost data, or PostgreSQL was unavailable)
 * - cuts: connections may be refused or cut (a process of the service ends)
 * - repeats: a bad record may become a dead letter again (everything is read again)
 * - slow: responses may take longer than ten seconds (the process itself is blocked)
 */
export type Tolerance = 'conflicts' | 'cuts' | 'repeats' | 'slow';

/** Records that a scenario put into the topic itself. */
export interface Planted {
  /** Their values have to become dead letters. */
  readonly deadLetters: string[];
  /** They have to become rows. */
  readonly registrations: Registration[];
}

/** What a scenario acts on. */
export interface Stage {
  readonly bed: TestBed;
  readonly balancer: Balancer;
  readonly traffic: Traffic;
  readonly planted: Planted;
  /** Shows the current step. */
  readonly announce: (what: string) => void;
  /** Resolves when every replica that runs is ready and healthy; rejects after 15 s. */
  readonly untilWell: () => Promise<void>;
}

const defaultLimitSeconds = 180;

/** One fault: how it is injected and healed, and what it may cause. */
export interface Scenario extends BedNeeds {
  /** One line: what happens. */
  readonly title: string;
  readonly tolerates: readonly Tolerance[];
  /** Injects the fault under load, holds it and heals it. */
  readonly run: (stage: Stage) => Promise<void>;
  /** Limit of run(): three minutes by default. */
  readonly limitSeconds?: number;
  /** --random may choose it: it has no special needs and undoes what it does. */
  readonly isRepeatable?: boolean;
}

/** How long the fault of a scenario may last, in seconds. */
export function faultLimitSeconds({ limitSeconds = defaultLimitSeconds }: Scenario): number {
  return limitSeconds;
}

import type { Registration } from '../../src/domain/registration';
import type { Balancer } from './balancer';
import type { BedNeeds, TestBed } from './test-bed';
import type { Traffic } from './traffic';

/**
 * What a scenario may lead to that is a broken promise in any other:
 * - conflicts: an accepted registration may become a `conflict` dead letter (Redis lost data, or PostgreSQL was away)
 * - cuts: connections may be refused or cut (a process of the service ends)
 * - slow: answers may take longer than ten seconds (the process itself stands still)
 */
export type Tolerance = 'conflicts' | 'cuts' | 'slow';

/** Records that a scenario put into the topic by hand. */
export interface Planted {
  /** The values of those that have to become dead letters. */
  readonly deadLetters: string[];
  /** Those that have to become rows. */
  readonly registrations: Registration[];
}

/** What a scenario has to play with. */
export interface Stage {
  readonly bed: TestBed;
  readonly balancer: Balancer;
  readonly traffic: Traffic;
  readonly planted: Planted;
  /** Shows what happens now. */
  readonly announce: (what: string) => void;
  /** Resolves when every replica that runs is ready and healthy; rejects after 15 s. */
  readonly untilWell: () => Promise<void>;
}

const defaultLimitSeconds = 180;

/** One fault: how it is made, how it is healed, and what may come of it. */
export interface Scenario extends BedNeeds {
  /** One line: what happens. */
  readonly title: string;
  readonly tolerates: readonly Tolerance[];
  /** Makes the fault under load, holds it and heals it; resolves when all is as it should be again. */
  readonly run: (stage: Stage) => Promise<void>;
  /** How long run() may take; three minutes unless it says so. */
  readonly limitSeconds?: number;
  /** --random may choose it: it needs nothing special and leaves all as it was. */
  readonly isRepeatable?: boolean;
}

/** How long the fault of a scenario may last, in seconds. */
export function faultLimitSeconds({ limitSeconds = defaultLimitSeconds }: Scenario): number {
  return limitSeconds;
}

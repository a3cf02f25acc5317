import type { Registration } from '../../src/domain/registration';
import type { Announced } from './events';
import type { Journal } from './journal';
import type { Planted, Tolerance } from './scenario';
import type { StoredEmail } from './stored-emails';

export interface DeadLetterSeen {
  readonly email: string;
  readonly value: string;
  readonly reason: string;
}

/** Where a promise was broken. */
export interface Finding {
  readonly email?: string;
  readonly detail: string;
}

/** What is left after a run, collected when the pipeline had drained. */
export interface Evidence {
  readonly tolerates: readonly Tolerance[];
  readonly isWithoutFault: boolean;
  readonly journal: Journal;
  readonly planted: Planted;
  readonly rows: readonly (Registration & { readonly id: number })[];
  readonly deadLetters: readonly DeadLetterSeen[];
  readonly announced: Announced;
  /** The emails of those that a replay would send again. */
  readonly replayable: readonly string[];
  /** What Redis still held of people who were gone, 90 s after all was well. */
  readonly keysOfGone: readonly string[];
  /** What the service says about stored emails, with every server well. */
  readonly storedEmails: readonly StoredEmail[];
  /** One line for each liveness probe of a running process that failed. */
  readonly livenessFailures: readonly string[];
  /** One line for each promise about the recovery that was not kept: not ready again, not drained, memory. */
  readonly recoveryFailures: readonly string[];
}

import type { Registration } from '../../src/domain/registration';
import type { Journal } from './journal';
import type { Planted, Tolerance } from './scenario';

export interface DeadLetterSeen {
  readonly email: string;
  readonly value: string;
  readonly reason: string;
}

/** What a run left behind, collected when the pipeline had drained. */
export interface Evidence {
  readonly tolerates: readonly Tolerance[];
  readonly isWithoutFault: boolean;
  readonly journal: Journal;
  readonly planted: Planted;
  readonly rows: readonly (Registration & { readonly id: number })[];
  readonly deadLetters: readonly DeadLetterSeen[];
  /** Reservations left in Redis. */
  readonly pendingEmails: readonly string[];
  /** One line for each probe of a running process that did not answer 200. */
  readonly livenessFailures: readonly string[];
  /** One line for each promise about the recovery that was not kept: not ready again, not drained, memory. */
  readonly recoveryFailures: readonly string[];
}

import { UnavailableError, UserNotFoundError } from '../domain/errors';
import { ifAvailable } from './if-available';
import type { FailureReason } from './ports/messaging';
import type { FailureMarks, Reservations, UserCache, Users } from './ports/stores';

export type RegistrationStatus =
  | { readonly status: 'pending' | 'completed' }
  | { readonly status: 'failed'; readonly reason: FailureReason };

export interface RegistrationStatusServiceDeps {
  readonly completed: Pick<UserCache, 'find'>;
  readonly users: Pick<Users, 'isRegistered'>;
  readonly pending: Pick<Reservations, 'isReserved'>;
  readonly failed: Pick<FailureMarks, 'find'>;
}

/** Tells how far the registration of an email is: stored, pending, or not storable. */
export class RegistrationStatusService {
  constructor(private readonly deps: RegistrationStatusServiceDeps) {}

  /**
   * The status of the email, not of one submission. Throws UserNotFoundError when no source knows the email, and
   * UnavailableError when one that might know it is unavailable.
   */
  async find(email: string): Promise<RegistrationStatus> {
    const { completed, users, pending, failed } = this.deps;
    // In one pipeline, the reservation first: the writer deletes it last, so that without one its result is visible.
    // A stored email may still be reserved, and one that failed may be tried again.
    const reserved = pending.isReserved(email);
    const [isReserved, reason, cached, isStored] = await Promise.all([
      ifAvailable(reserved),
      ifAvailable(failed.find(email, reserved)),
      ifAvailable(completed.find(email, reserved)),
      ifAvailable(users.isRegistered(email)),
    ]);
    if (isStored === true || cached) return { status: 'completed' };
    if (isReserved === true) return { status: 'pending' };
    // The mark of a loser says nothing about who won.
    if ([isStored, isReserved, reason, cached].includes(null)) {
      throw new UnavailableError('a source that may know the email is unavailable');
    }
    if (reason) return { status: 'failed', reason };
    throw new UserNotFoundError('no source knows the email');
  }
}

import { UnavailableError, UserNotFoundError } from '../domain/errors';
import type {
  CompletedUsers,
  FailureReason,
  FailedRegistrations,
  PendingRegistrations,
  Users,
} from './ports';

export type RegistrationStatus =
  | { readonly status: 'pending' | 'completed' }
  | { readonly status: 'failed'; readonly reason: FailureReason };

export interface RegistrationStatusServiceDeps {
  readonly completed: Pick<CompletedUsers, 'find'>;
  readonly users: Pick<Users, 'isRegistered'>;
  readonly pending: Pick<PendingRegistrations, 'isReserved'>;
  readonly failed: Pick<FailedRegistrations, 'find'>;
}

/** Tells how far the registration of an e-mail is: stored, on its way, or not storable. */
export class RegistrationStatusService {
  constructor(private readonly deps: RegistrationStatusServiceDeps) {}

  /**
   * Speaks of the e-mail, not of one submission. Throws UserNotFoundError when no source knows the e-mail, and
   * UnavailableError when one that might know it is away.
   */
  async find(email: string): Promise<RegistrationStatus> {
    const { completed, users, pending, failed } = this.deps;
    // All at once, and the reservation is read first: the writer deletes it last, so that whoever sees none sees what
    // came of it. A stored e-mail may be reserved for a moment, and one that failed may be tried again.
    const [isReserved, reason, cached, isStored] = await Promise.all([
      unlessAway(pending.isReserved(email)),
      unlessAway(failed.find(email)),
      unlessAway(completed.find(email)),
      unlessAway(users.isRegistered(email)),
    ]);
    if (isStored === true || (cached !== AWAY && cached !== undefined)) return { status: 'completed' };
    if (isReserved === true) return { status: 'pending' };
    // The mark of a loser says nothing about who won.
    if ([isStored, isReserved, reason, cached].includes(AWAY)) {
      throw new UnavailableError('a source that may know the e-mail is away');
    }
    if (reason !== AWAY && reason !== undefined) return { status: 'failed', reason };
    throw new UserNotFoundError('no source knows the e-mail');
  }
}

const AWAY = Symbol('away');

async function unlessAway<T>(work: Promise<T>): Promise<T | typeof AWAY> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return AWAY;
  }
}

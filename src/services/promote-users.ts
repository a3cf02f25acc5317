import type { User } from '../domain/user';
import { inTurns } from '../runtime/turns';
import type { CompletedUsers, PendingRegistrations } from './ports';

/** The stores that settleKeys() writes to. */
export interface SettledStores {
  readonly completed: Pick<CompletedUsers, 'put'>;
  readonly pending: Pick<PendingRegistrations, 'clear'>;
}

/**
 * Sets the Redis keys of stored users: cached first, their reservations freed last. RegistrationService relies on
 * this order: whoever can reserve a stored e-mail finds it in the cache. Throws UnavailableError.
 */
export async function settleKeys(
  { completed, pending }: SettledStores,
  users: readonly User[],
): Promise<void> {
  await inTurns(users, (part) => completed.put(part));
  await inTurns(users, (part) => pending.clear(part.map(({ email }) => email)));
}

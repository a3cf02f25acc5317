import type { User } from '../domain/stored-user';
import { forEachChunk } from '../runtime/yielding';
import type { Reservations, UserCache } from './ports/stores';

/** The stores that promoteToCompleted() writes to. */
export interface PromotionStores {
  readonly completed: Pick<UserCache, 'put'>;
  readonly pending: Pick<Reservations, 'clear'>;
}

/**
 * Caches stored users, then deletes their reservations. RegistrationService relies on this order: a client that can
 * reserve a stored email finds it in the cache. May reject with UnavailableError.
 */
export async function promoteToCompleted(
  { completed, pending }: PromotionStores,
  users: readonly User[],
): Promise<void> {
  await forEachChunk(users, (part) => completed.put(part));
  await forEachChunk(users, (part) => pending.clear(part.map(({ email }) => email)));
}

import type { User } from '../domain/stored-user';
import type { DeadLetter, UserEvents } from './ports/messaging';
import type { Users } from './ports/stores';
import { traceparentOf, type ReadableRecord } from './registration-record';

/** What became of a batch. */
interface WrittenBatch {
  readonly readable: readonly ReadableRecord[];
  /** Those that became dead letters. */
  readonly refused: readonly DeadLetter[];
  /** By email: the rows, none of which was read before `startedAt`, by performance.now(). */
  readonly stored: ReadonlyMap<string, User>;
  readonly startedAt: number;
}

// Well within the time in which KafkaUserEvents sends a row that was read.
const RECENT_MS = 2000;

/**
 * Tells other programs of a batch's rows, with the trace of the first record of each. Of those who were stored before, too:
 * they may have been by an attempt at this batch that did not come to this. Throws UnavailableError.
 */
export async function announceRegistered(
  { readable, refused, stored, startedAt }: WrittenBatch,
  { events, users }: { events: Pick<UserEvents, 'registered'>; users: Pick<Users, 'findByEmails'> },
): Promise<void> {
  const others = new Set(refused.map(({ record }) => record));
  const told = new Map<string, string | undefined>();
  for (const { record, registration } of readable) {
    const { email } = registration;
    if (!others.has(record) && stored.has(email) && !told.has(email)) told.set(email, traceparentOf(record));
  }
  if (told.size === 0) return;
  // After a slow attempt they are read again: by now they may have been erased long ago.
  const isRecent = performance.now() - startedAt < RECENT_MS;
  const readAt = isRecent ? startedAt : performance.now();
  const rows = isRecent
    ? [...told.keys()].flatMap((email) => stored.get(email) ?? [])
    : await users.findByEmails([...told.keys()]);
  const registered = rows.map((user) => ({ user, traceparent: told.get(user.email) }));
  await events.registered(registered, readAt);
}

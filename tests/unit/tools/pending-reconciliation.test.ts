import { emailDigest } from '../../../src/domain/erasure';
import type { RegistrationEvent } from '../../../src/services/ports/messaging';
import { reconcilePending } from '../../../src/tools/pending-reconciliation';
import type { StoredReservation } from '../../../src/services/ports/stores';
import { buildEvent, buildRegistration } from '../../support/builders';
import { InMemoryUserCache, InMemoryReservations } from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';
import { RecordingPublisher } from '../../support/fakes/kafka';

const MINUTE_MS = 60_000;

function setUp(publish: boolean) {
  const users = new InMemoryUsers();
  const completed = new InMemoryUserCache();
  const pending = new InMemoryReservations();
  const publisher = new RecordingPublisher();
  const deps = { users, completed, pending, publisher, publish, olderThanMs: 10 * MINUTE_MS };
  const states = async (...entries: StoredReservation[]): Promise<string[]> =>
    (await reconcilePending(deps, entries)).map(({ state }) => state);
  return { users, completed, pending, publisher, states };
}

const accepted = (minutesAgo: number): RegistrationEvent =>
  buildEvent({ acceptedAt: new Date(Date.now() - minutesAgo * MINUTE_MS).toISOString() });

const entryOf = (event: RegistrationEvent): StoredReservation => ({ email: event.registration.email, event });

describe('reconcilePending', () => {
  it('frees an email with a row whose entry cannot be read', async () => {
    const { users, pending, states } = setUp(true);
    const event = accepted(11);
    await users.insertMissing([event.registration]);
    await pending.reserve(event);

    expect(await states({ email: event.registration.email, event: undefined })).toEqual(['stored']);
    expect(pending.entries.size).toBe(0);
  });

  it('leaves alone what was accepted before its email was erased', async () => {
    const { users, pending, publisher, states } = setUp(true);
    const [old, anew] = [accepted(20), accepted(11)];
    await pending.reserve(old);
    for (const { registration } of [old, anew])
      users.erasures.set(emailDigest(registration.email), {
        erasedAtMs: Date.now() - 15 * MINUTE_MS,
        eventIds: [],
      });

    expect(await states(entryOf(old), entryOf(anew))).toEqual(['erased', 'unstored']);
    expect(publisher.events).toEqual([anew]);
    expect(pending.entries.size).toBe(1);
  });

  it('reports entries that hold no event the writer would accept', async () => {
    const { publisher, states } = setUp(true);
    const event = accepted(11);
    const registration = { ...event.registration, gender: 'x' };

    expect(
      await states(
        { email: 'a@example.com', event: undefined },
        { email: 'a@example.com', event },
        entryOf({ ...event, registration }),
        entryOf({ ...event, registration: buildRegistration({ email: 'A@example.com' }) }),
        entryOf({ ...event, acceptedAt: 'then' }),
      ),
    ).toEqual(['unreadable', 'unreadable', 'unreadable', 'unreadable', 'unreadable']);
    expect(publisher.events).toEqual([]);
  });
});

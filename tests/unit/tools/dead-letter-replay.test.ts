import { UnavailableError } from '../../../src/domain/errors';
import { DeadLetterReplay } from '../../../src/tools/dead-letter-replay';
import type { StoredDeadLetter } from '../../../src/tools/dead-letter';
import { buildEvent, buildRegistration } from '../../support/builders';
import {
  InMemoryUserCache,
  InMemoryReservationReader,
  InMemoryReservations,
  InMemoryUsers,
  RecordingPublisher,
} from '../../support/fakes';
import { buildDeadLetter } from '../../support/dead-letters';

function setUp() {
  const users = new InMemoryUsers();
  const completed = new InMemoryUserCache();
  const pending = new InMemoryReservations();
  const entries = new InMemoryReservationReader(pending);
  const publisher = new RecordingPublisher();
  const run = async (deadLetters: StoredDeadLetter[], dryRun = false): Promise<string[]> => {
    const replay = new DeadLetterReplay({ users, completed, pending, entries, publisher, dryRun });
    return (await replay.replay(deadLetters)).map(({ outcome }) => outcome);
  };
  return { users, completed, pending, publisher, run };
}

const john = buildRegistration({ email: 'john@example.com' });
const jane = { ...john, firstName: 'Jane' };

describe('DeadLetterReplay', () => {
  it('names a record that came without an event id, so that its reservation can be freed', async () => {
    const { publisher, pending, run } = setUp();

    await run([buildDeadLetter({ value: john, headers: {} })]);

    const { eventId } = pending.entries.get('john@example.com') ?? {};
    expect(eventId).toBeDefined();
    expect(publisher.records[0]?.headers['event-id']).toBe(eventId);
  });

  it('skips what is stored and what would lose again, and leaves no reservation', async () => {
    const { users, completed, pending, publisher, run } = setUp();
    await users.insertMissing([john]);

    expect(await run([buildDeadLetter({ value: jane }), buildDeadLetter({ value: john })])).toEqual([
      'conflict',
      'stored',
    ]);

    expect(publisher.records).toEqual([]);
    expect(pending.entries.size).toBe(0);
    expect(completed.entries.get('john@example.com')).toEqual(users.rows[0]);
  });

  it('sends one dead letter of each email, the first', async () => {
    const { publisher, pending, users, completed, run } = setUp();
    const entries = new InMemoryReservationReader(pending);
    const first = buildDeadLetter({ value: john });

    expect(await run([first, buildDeadLetter({ value: jane }), buildDeadLetter({ value: john })])).toEqual([
      'sent',
      'repeated',
      'repeated',
    ]);
    const replay = new DeadLetterReplay({ users, completed, pending, entries, publisher, dryRun: false });
    await replay.replay([first]);
    const [later] = await replay.replay([buildDeadLetter({ value: jane })]);

    expect(later?.outcome).toBe('repeated');
    expect(publisher.records.map(({ value }) => value)).toEqual([first.value, first.value]);
  });

  it('skips an email that another registration has reserved', async () => {
    const { pending, publisher, run } = setUp();
    const holder = buildEvent({ registration: jane });
    await pending.reserve(holder);

    expect(await run([buildDeadLetter({ value: john })])).toEqual(['pending']);
    expect(await run([buildDeadLetter({ value: john })], true)).toEqual(['pending']);

    expect(publisher.records).toEqual([]);
    expect(pending.entries.get('john@example.com')).toBe(holder);
  });

  it('sends again what a cut-short replay may not have sent', async () => {
    const { publisher, run } = setUp();
    const deadLetter = buildDeadLetter({ value: john });
    publisher.isUnavailable = true;
    await expect(run([deadLetter])).rejects.toThrow(UnavailableError);
    publisher.isUnavailable = false;

    expect(await run([deadLetter])).toEqual(['sent']);

    expect(publisher.records).toHaveLength(1);
  });
});

import { emailDigest } from '../../../src/domain/erasure';
import { UnavailableError } from '../../../src/domain/errors';
import { DeadLetterReplay } from '../../../src/tools/dead-letter-replay';
import type { StoredDeadLetter } from '../../../src/tools/dead-letter';
import { buildEvent, buildRegistration } from '../../support/builders';
import {
  InMemoryUserCache,
  InMemoryReservationReader,
  InMemoryReservations,
} from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';
import { RecordingPublisher } from '../../support/fakes/kafka';
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

describe('DeadLetterReplay, of people who were erased', () => {
  const erasedAtMs = Date.parse('2026-01-02T04:00:00Z');

  it.each([
    ['by its time', { 'accepted-at': '2026-01-02T03:00:00Z' }],
    ['by when it became a dead letter, without one', {}],
    ['by its event', { 'accepted-at': '2026-01-02T04:00:04Z', 'event-id': 'event' }],
  ])('skips a dead letter, told %s, and reserves nothing', async (_how, headers) => {
    const { users, pending, publisher, run } = setUp();
    users.erasures.set(emailDigest(john.email), { erasedAtMs, eventIds: ['event'] });
    const timestamp = String(Date.parse('2026-01-02T03:04:05.678Z'));

    expect(await run([buildDeadLetter({ value: john, headers, timestamp })])).toEqual(['erased']);
    expect(publisher.records).toEqual([]);
    expect(pending.entries.size).toBe(0);
  });

  it('skips one that is invalid, too, and sends what was accepted afterwards', async () => {
    const { users, run } = setUp();
    users.erasures.set(emailDigest(john.email), { erasedAtMs, eventIds: [] });
    const headers = { 'accepted-at': '2026-01-02T03:00:00Z' };
    const later = buildDeadLetter({ value: john, headers: { 'accepted-at': '2026-01-02T05:00:00Z' } });

    expect(await run([buildDeadLetter({ value: { email: john.email }, headers }), later])).toEqual([
      'erased',
      'sent',
    ]);
  });

  it('gives a record without a time that of its dead letter: an erasure may come before the writer', async () => {
    const { publisher, run } = setUp();

    await run([buildDeadLetter({ value: john, headers: {}, writtenAt: '2026-01-02T03:04:05.678Z' })]);

    expect(publisher.records[0]?.headers['accepted-at']).toBe('2026-01-02T03:04:05.678Z');
  });
});

import { UnavailableError } from '../../../src/domain/errors';
import { DeadLetterReplay } from '../../../src/tools/dead-letter-replay';
import type { StoredDeadLetter } from '../../../src/tools/tool-ports';
import { buildEvent, buildRegistration } from '../../support/builders';
import {
  InMemoryCompletedUsers,
  InMemoryPendingEntries,
  InMemoryPendingRegistrations,
  InMemoryUsers,
  RecordingTopic,
} from '../../support/fakes';
import { buildLetter } from '../../support/dead-letters';

function setUp() {
  const users = new InMemoryUsers();
  const completed = new InMemoryCompletedUsers();
  const pending = new InMemoryPendingRegistrations();
  const entries = new InMemoryPendingEntries(pending);
  const topic = new RecordingTopic();
  const run = async (letters: StoredDeadLetter[], isDryRun = false): Promise<string[]> => {
    const replay = new DeadLetterReplay({ users, completed, pending, entries, topic, isDryRun });
    return (await replay.replay(letters)).map(({ outcome }) => outcome);
  };
  return { users, completed, pending, topic, run };
}

const john = buildRegistration({ email: 'john@example.com' });
const jane = { ...john, firstName: 'Jane' };

describe('DeadLetterReplay', () => {
  it('sends key, value and headers as they came, and says which letter they are from', async () => {
    const { topic, pending, run } = setUp();
    const letter = buildLetter({
      value: john,
      partition: 1,
      offset: '7',
      headers: { 'event-id': 'e1', x: 'y' },
    });

    expect(await run([letter])).toEqual(['sent']);

    expect(topic.records).toEqual([
      {
        key: letter.key,
        value: letter.value,
        headers: { 'event-id': 'e1', x: 'y', 'dead-letter-replay-of': '1:7' },
      },
    ]);
    expect(pending.entries.get('john@example.com')).toMatchObject({ eventId: 'e1', registration: john });
  });

  it('names a record that came without an event id, so that its reservation can be freed', async () => {
    const { topic, pending, run } = setUp();

    await run([buildLetter({ value: john, headers: {} })]);

    const { eventId } = pending.entries.get('john@example.com') ?? {};
    expect(eventId).toBeDefined();
    expect(topic.records[0]?.headers['event-id']).toBe(eventId);
  });

  it('skips what the writer would refuse again', async () => {
    const { topic, pending, run } = setUp();
    const letters = [
      buildLetter({ value: null }),
      buildLetter({ value: '{' }),
      buildLetter({ value: { ...john, gender: 'x' } }),
      buildLetter({ value: john, key: Buffer.from('other@example.com') }),
    ];

    expect(await run(letters)).toEqual(['invalid', 'invalid', 'invalid', 'invalid']);

    expect(topic.records).toEqual([]);
    expect(pending.entries.size).toBe(0);
  });

  it('skips what is stored and what would lose again, and leaves no reservation behind', async () => {
    const { users, completed, pending, topic, run } = setUp();
    await users.insertMissing([john]);

    expect(await run([buildLetter({ value: jane }), buildLetter({ value: john })])).toEqual([
      'conflict',
      'stored',
    ]);

    expect(topic.records).toEqual([]);
    expect(pending.entries.size).toBe(0);
    expect(completed.entries.get('john@example.com')).toEqual(users.rows[0]);
  });

  it('sends one letter of each e-mail, the first', async () => {
    const { topic, pending, users, completed, run } = setUp();
    const entries = new InMemoryPendingEntries(pending);
    const first = buildLetter({ value: john });

    expect(await run([first, buildLetter({ value: jane }), buildLetter({ value: john })])).toEqual([
      'sent',
      'repeated',
      'repeated',
    ]);
    const replay = new DeadLetterReplay({ users, completed, pending, entries, topic, isDryRun: false });
    await replay.replay([first]);
    const [later] = await replay.replay([buildLetter({ value: jane })]);

    expect(later?.outcome).toBe('repeated');
    expect(topic.records.map(({ value }) => value)).toEqual([first.value, first.value]);
  });

  it('lets go first who holds the e-mail now', async () => {
    const { pending, topic, run } = setUp();
    const holder = buildEvent({ registration: jane });
    await pending.reserve(holder);

    expect(await run([buildLetter({ value: john })])).toEqual(['pending']);
    expect(await run([buildLetter({ value: john })], true)).toEqual(['pending']);

    expect(topic.records).toEqual([]);
    expect(pending.entries.get('john@example.com')).toBe(holder);
  });

  it('sends again what a cut-short replay may not have sent', async () => {
    const { topic, run } = setUp();
    const letter = buildLetter({ value: john });
    topic.isAway = true;
    await expect(run([letter])).rejects.toThrow(UnavailableError);
    topic.isAway = false;

    expect(await run([letter])).toEqual(['sent']);

    expect(topic.records).toHaveLength(1);
  });

  it('tells in a dry run what it would do, and changes nothing', async () => {
    const { users, completed, pending, topic, run } = setUp();
    const stored = buildRegistration();
    await users.insertMissing([stored]);

    expect(
      await run(
        [buildLetter({ value: john }), buildLetter({ value: stored }), buildLetter({ value: '' })],
        true,
      ),
    ).toEqual(['sent', 'stored', 'invalid']);

    expect(topic.records).toEqual([]);
    expect(pending.entries.size + completed.entries.size).toBe(0);
  });
});

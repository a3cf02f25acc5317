import { UnavailableError } from '../../../src/domain/errors';
import { DeadLetterPublisher } from '../../../src/services/dead-letter-publisher';
import { RegistrationWriter } from '../../../src/services/registration-writer';
import { buildEvent, buildRecord, buildRegistration } from '../../support/builders';
import {
  InMemoryUserCache,
  InMemoryFailureMarks,
  InMemoryReservations,
  InMemoryUsers,
  RecordingDeadLetters,
  RecordingMetrics,
} from '../../support/fakes';
import { RecordingLogger } from '../../support/recording-logger';

function setUp() {
  const deps = {
    users: new InMemoryUsers(),
    completed: new InMemoryUserCache(),
    pending: new InMemoryReservations(),
    failed: new InMemoryFailureMarks(),
    deadLetters: new RecordingDeadLetters(),
    metrics: new RecordingMetrics(),
    log: new RecordingLogger(),
  };
  const deadLetterPublisher = new DeadLetterPublisher(deps);
  return { ...deps, writer: new RegistrationWriter({ ...deps, deadLetterPublisher }) };
}

describe('RegistrationWriter.write', () => {
  it('stores the records, caches the rows and frees the reservations', async () => {
    const { writer, users, completed, pending, deadLetters } = setUp();
    const events = [buildEvent(), buildEvent()];
    await Promise.all(events.map((event) => pending.reserve(event)));

    await writer.write(events.map(({ registration }) => buildRecord({ value: registration })));

    expect(users.rows.map(({ email }) => email)).toEqual(
      events.map(({ registration }) => registration.email),
    );
    expect([...completed.entries.values()]).toEqual(users.rows);
    expect(pending.entries.size).toBe(0);
    expect(deadLetters.letters).toEqual([]);
  });

  it('measures how long each took from its acceptance to its row, and counts the others by reason', async () => {
    const { writer, metrics } = setUp();
    const first = buildRegistration();
    const acceptedAt = (secondsAgo: number) => ({
      'accepted-at': new Date(Date.now() - secondsAgo * 1000).toISOString(),
    });

    await writer.write([
      buildRecord({ value: first, headers: acceptedAt(60) }),
      buildRecord({ value: { ...first, lastName: 'Roe' }, headers: acceptedAt(60) }),
      buildRecord({ value: buildRegistration(), headers: { 'accepted-at': 'tomorrow' } }),
      buildRecord({ value: 'broken' }),
    ]);

    expect(metrics.delays).toHaveLength(1);
    expect(metrics.delays[0]).toBeGreaterThanOrEqual(60);
    expect(metrics.delays[0]).toBeLessThan(120);
    expect(metrics.reasons.sort()).toEqual(['conflict', 'invalid']);
  });

  it.each([
    ['read', 4, () => buildRecord({ value: 'broken' })],
    ['read and cached', 8, () => buildRecord({ value: buildRegistration() })],
  ])('lets everything else get on while a large batch is %s', async (_what, fewest, build) => {
    const { writer } = setUp();
    let turns = 0;
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);

    await writer.write(Array.from({ length: 500 }, build));

    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(fewest);
  });

  it('caches before it frees: in between the e-mail must not look unknown', async () => {
    const { writer, completed, pending } = setUp();
    const registration = buildRegistration();
    const isCachedAtClear: boolean[] = [];
    pending.clear = (emails) => {
      isCachedAtClear.push(emails.every((email) => completed.entries.has(email)));
      return Promise.resolve();
    };

    await writer.write([buildRecord({ value: registration })]);

    expect(isCachedAtClear).toEqual([true]);
  });

  it('keeps the first write and dead-letters the loser, within one batch and across batches', async () => {
    const { writer, users, completed, deadLetters } = setUp();
    const first = buildRegistration();
    const second = { ...first, firstName: 'Jane' };
    const third = { ...first, lastName: 'Roe' };

    await writer.write([
      buildRecord({ value: first, offset: '0' }),
      buildRecord({ value: second, offset: '1' }),
    ]);
    await writer.write([buildRecord({ value: third, offset: '2' })]);

    expect(users.rows).toMatchObject([{ first_name: 'John', last_name: 'Doe' }]);
    expect(completed.entries.get(first.email)).toEqual(users.rows[0]);
    expect(deadLetters.letters.map(({ record, reason }) => [record.offset, reason])).toEqual([
      ['1', 'conflict'],
      ['2', 'conflict'],
    ]);
  });

  it('ignores a record that says the same as the row', async () => {
    const { writer, users, deadLetters } = setUp();
    const record = buildRecord();

    await writer.write([record, record]);
    await writer.write([record]);

    expect(users.rows).toHaveLength(1);
    expect(deadLetters.letters).toEqual([]);
  });

  it.each([
    ['no value', { value: null }, 'the record has no value'],
    ['text that is no JSON', { value: '{broken' }, 'the record value is not JSON'],
    ['a JSON number', { value: 5 }, 'body must be of type object'],
    ['wrong types', { value: { ...buildRegistration(), firstName: 5 } }, 'firstName must be a string'],
    ['a NUL', { value: { ...buildRegistration(), occupation: 'a\0b' } }, 'occupation must not contain a NUL'],
    ['no key', { key: null }, 'the record key is not the email'],
    [
      'a key that is another e-mail',
      { key: Buffer.from('other@example.com') },
      'the record key is not the email',
    ],
  ])('dead-letters a record with %s alone; its neighbours are stored', async (_what, broken, error) => {
    const { writer, users, deadLetters } = setUp();
    const record = buildRecord(broken);

    await writer.write([buildRecord(), record, buildRecord()]);

    expect(users.rows).toHaveLength(2);
    expect(deadLetters.letters).toEqual([
      { record, reason: 'invalid', error: expect.stringContaining(error) },
    ]);
  });

  it.each(['event-id', 'request-id', 'other'])(
    'takes a dead letter whose header %s has no value',
    async (name) => {
      const { writer, deadLetters } = setUp();
      const record = buildRecord({
        value: '{',
        key: Buffer.from('a@example.com'),
        headers: { [name]: null },
      });

      await writer.write([record]);

      expect(deadLetters.letters).toHaveLength(1);
    },
  );

  it('finds the one record that cannot be stored and stores its neighbours', async () => {
    const { writer, users, deadLetters } = setUp();
    const records = Array.from({ length: 9 }, (_, index) => buildRecord({ offset: String(index) }));
    const bad = JSON.parse(String(records[4]?.value)) as { email: string };
    users.refuses = ({ email }) => email === bad.email;

    await writer.write(records);

    expect(users.rows).toHaveLength(8);
    expect(deadLetters.letters.map(({ record, reason }) => [record.offset, reason])).toEqual([
      ['4', 'unstorable'],
    ]);
  });

  it('gives the next record of an e-mail its turn when the first cannot be stored', async () => {
    const { writer, users, deadLetters } = setUp();
    const bad = buildRegistration({ firstName: 'Bad' });
    users.refuses = ({ firstName }) => firstName === 'Bad';

    await writer.write([buildRecord({ value: bad }), buildRecord({ value: { ...bad, firstName: 'Good' } })]);

    expect(users.rows).toMatchObject([{ first_name: 'Good' }]);
    expect(deadLetters.letters.map(({ reason }) => reason)).toEqual(['unstorable']);
  });

  it('marks the e-mail of a dead letter as failed and frees its own reservation', async () => {
    const { writer, users, failed, pending } = setUp();
    users.refuses = () => true;
    const event = buildEvent();
    await pending.reserve(event);

    await writer.write([buildRecord({ value: event.registration, headers: { 'event-id': event.eventId } })]);

    expect([...failed.entries]).toEqual([[event.registration.email, 'unstorable']]);
    expect(pending.entries.size).toBe(0);
  });

  it('leaves the reservation of another event alone', async () => {
    const { writer, users, pending } = setUp();
    users.refuses = () => true;
    const event = buildEvent();
    await pending.reserve(event);

    await writer.write([
      buildRecord({ value: event.registration, headers: { 'event-id': 'another' } }),
      buildRecord({ value: event.registration, headers: {} }),
    ]);

    expect(pending.entries.get(event.registration.email)).toBe(event);
  });

  it('writes on while Redis is unavailable', async () => {
    const { writer, users, completed, pending, failed, deadLetters, log } = setUp();
    [completed, pending, failed].forEach((fake) => (fake.isUnavailable = true));
    const registration = buildRegistration();

    await writer.write([
      buildRecord({ value: registration }),
      buildRecord({ value: '{', key: Buffer.from('a@b.com') }),
    ]);

    expect(users.rows).toHaveLength(1);
    expect(deadLetters.letters).toHaveLength(1);
    expect(log.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('could not mark failed registration'),
    );
  });

  it.each(['users', 'deadLetters'] as const)(
    'fails as a whole while %s is away: no offset may move',
    async (name) => {
      const world = setUp();
      world[name].isUnavailable = true;

      await expect(world.writer.write([buildRecord(), buildRecord({ value: null })])).rejects.toThrow(
        UnavailableError,
      );
    },
  );

  it.each(['insertMissing', 'put', 'mark'] as const)('passes on what is no outage (%s)', async (method) => {
    const world = setUp();
    const bug = new TypeError('bug');
    const fail = (): Promise<never> => Promise.reject(bug);
    if (method === 'insertMissing') world.users.insertMissing = fail;
    if (method === 'put') world.completed.put = fail;
    if (method === 'mark') world.failed.mark = fail;

    const write = world.writer.write([
      buildRecord(),
      buildRecord({ value: null, key: Buffer.from('a@b.com') }),
    ]);

    await expect(write).rejects.toBe(bug);
  });

  it('logs a dead letter without what was submitted', async () => {
    const { writer, log } = setUp();
    const registration = { ...buildRegistration({ lastName: 'Secret' }), gender: 'Confidential' };

    await writer.write([buildRecord({ value: registration })]);

    const text = JSON.stringify(log.lines);
    expect(log.lines).toMatchObject([
      { level: 'warn', message: 'dead letter', reason: 'invalid', requestId: 'req-1' },
    ]);
    for (const value of [registration.email, 'Secret', 'Confidential']) expect(text).not.toContain(value);
  });
});

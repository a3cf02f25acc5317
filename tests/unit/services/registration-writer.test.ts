import { emailDigest } from '../../../src/domain/erasure';
import { RejectedError, UnavailableError } from '../../../src/domain/errors';
import { DeadLetterPublisher } from '../../../src/services/dead-letter-publisher';
import { RegistrationWriter } from '../../../src/services/registration-writer';
import { buildEvent, buildRecord, buildRegistration, buildUser } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { InMemoryUserCache, InMemoryFailureMarks, InMemoryReservations } from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';
import { RecordingDeadLetters, RecordingUserEvents } from '../../support/fakes/kafka';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingLogger } from '../../support/recording-logger';

function setUp() {
  const deps = {
    users: new InMemoryUsers(),
    completed: new InMemoryUserCache(),
    pending: new InMemoryReservations(),
    failed: new InMemoryFailureMarks(),
    deadLetters: new RecordingDeadLetters(),
    events: new RecordingUserEvents(),
    metrics: new RecordingMetrics(),
    log: new RecordingLogger(),
  };
  const deadLetterPublisher = new DeadLetterPublisher(deps);
  return { ...deps, writer: new RegistrationWriter({ ...deps, deadLetterPublisher }) };
}

describe('RegistrationWriter.write, of people who were erased', () => {
  const erasedAtMs = Date.now() - 10_000;
  const [before, after] = [-60_000, 1000].map((ms) => new Date(erasedAtMs + ms).toISOString());
  const recordAt = (value: unknown, acceptedAt = '', offset = '0') =>
    buildRecord({ value, offset, headers: { 'event-id': `event-${offset}`, 'accepted-at': acceptedAt } });
  const erase = ({ users }: ReturnType<typeof setUp>, email: string): unknown =>
    users.erasures.set(emailDigest(email), { erasedAtMs, eventIds: ['event-9'] });

  it('stores none, keeps no dead letter, frees what is its own, and goes on', async () => {
    const world = setUp();
    const { writer, users, deadLetters, pending, metrics } = world;
    const [erased, other] = [buildRegistration(), buildRegistration()];
    erase(world, erased.email);
    await pending.reserve({ eventId: 'event-0', acceptedAt: '', registration: erased });

    await writer.write([recordAt(erased, before), recordAt(other, after, '1'), recordAt(erased, after, '9')]);

    expect(users.rows.map(({ email }) => email)).toEqual([other.email]);
    expect(deadLetters.published).toEqual([]);
    expect(pending.entries.size).toBe(0);
    expect(metrics.erasedRecords).toBe(2);
    expect(metrics.delays).toHaveLength(1);
  });

  it('tells a record that has no time of its own by when Kafka got it', async () => {
    const world = setUp();
    const registration = buildRegistration();
    erase(world, registration.email);
    const foreign = { value: registration, headers: { 'accepted-at': 'soon' } };

    await world.writer.write([buildRecord({ ...foreign, timestamp: String(erasedAtMs - 60_000) })]);
    const refused = world.users.rows.length;
    await world.writer.write([buildRecord({ ...foreign, timestamp: String(erasedAtMs + 1) })]);

    expect([refused, world.users.rows.length]).toEqual([0, 1]);
  });

  it.each([
    ['behind the old record', ['old', 'new']],
    ['before the old record', ['new', 'old']],
  ])('stores who has registered anew, %s, and leaves the new reservation alone', async (_where, order) => {
    const world = setUp();
    const { writer, users, deadLetters, pending, metrics } = world;
    const registration = buildRegistration({ firstName: 'New' });
    const records = {
      old: recordAt({ ...registration, firstName: 'Old' }, before, '1'),
      new: recordAt(registration, after, '2'),
    };
    erase(world, registration.email);
    pending.clear = () => Promise.resolve();
    await pending.reserve({ eventId: 'event-2', acceptedAt: '', registration });

    await writer.write(order.map((each) => records[each as keyof typeof records]));

    expect(users.rows).toEqual([expect.objectContaining({ first_name: 'New' })]);
    expect(deadLetters.published).toEqual([]);
    expect(pending.entries.get(registration.email)?.eventId).toBe('event-2');
    expect(metrics.erasedRecords).toBe(1);
  });

  it('makes no dead letter of what could not be stored or read, either', async () => {
    const world = setUp();
    const bad = buildRegistration({ firstName: 'Bad' });
    erase(world, bad.email);
    world.users.rejects = ({ firstName }) => firstName === 'Bad';

    await world.writer.write([
      recordAt(bad, before, '1'),
      { ...recordAt('broken', before, '2'), key: Buffer.from(bad.email.toUpperCase()) },
    ]);

    expect(world.deadLetters.published).toEqual([]);
    expect(world.failed.entries.size).toBe(0);
    expect(world.metrics.erasedRecords).toBe(2);
  });

  it('commits nothing while it cannot be told', async () => {
    const { writer, users } = setUp();
    const registration = buildRegistration();
    await users.insertMissing([registration]);
    users.findErasures = () => Promise.reject(new UnavailableError('away'));

    const writing = writer.write([buildRecord({ value: { ...registration, firstName: 'Jane' } })]);

    await expect(writing).rejects.toThrow(UnavailableError);
  });

  it('does without Redis', async () => {
    const world = setUp();
    const registration = buildRegistration();
    erase(world, registration.email);
    world.pending.isUnavailable = true;

    await world.writer.write([recordAt(registration, before)]);

    expect(world.metrics.erasedRecords).toBe(1);
  });
});

describe('RegistrationWriter.write', () => {
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
  ])('yields to the event loop while a large batch is %s', async (_what, fewest, build) => {
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

  it('caches before it frees: in between the email must not look unknown', async () => {
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

  it('finds the one record that cannot be stored and stores its neighbours', async () => {
    const { writer, users, deadLetters } = setUp();
    const records = Array.from({ length: 9 }, (_, index) => buildRecord({ offset: String(index) }));
    const bad = JSON.parse(String(records[4]?.value)) as { email: string };
    users.rejects = ({ email }) => email === bad.email;

    await writer.write(records);

    expect(users.rows).toHaveLength(8);
    expect(deadLetters.published.map(({ record, reason }) => [record.offset, reason])).toEqual([
      ['4', 'unstorable'],
    ]);
  });

  it('waits, without a dead letter, when another registration would be rejected as well', async () => {
    const { writer, users, deadLetters } = setUp();
    users.rejects = () => true;
    const records = Array.from({ length: 500 }, () => buildRecord());
    const insert = jest.spyOn(users, 'insertMissing');

    await expect(writer.write(records)).rejects.toThrow(RejectedError);

    expect(deadLetters.published).toEqual([]);
    // By halves to the first two records, and not on to all the others.
    expect(insert).toHaveBeenCalledTimes(11);
    users.rejects = () => false;
    await writer.write(records);
    expect(users.rows).toHaveLength(500);
  });

  it('stores the next records of one that cannot be told yet, and has it wait', async () => {
    const { writer, users, deadLetters } = setUp();
    users.rejects = ({ firstName }) => firstName === 'Bad';
    const confirm = jest.spyOn(users, 'confirmRejection').mockRejectedValueOnce(new RejectedError('23514'));
    const bad = buildRegistration({ firstName: 'Bad' });
    const good = Array.from({ length: 30 }, () => buildRegistration());
    const records = [bad, { ...bad, firstName: 'Later' }, ...good].map((value) => buildRecord({ value }));

    await expect(writer.write(records)).rejects.toThrow(RejectedError);
    expect([users.rows.length, deadLetters.published.length]).toEqual([30, 0]);

    await writer.write(records);
    expect([users.rows.length, deadLetters.published.length]).toEqual([31, 1]);
    expect(confirm).toHaveBeenCalledTimes(2);
  });

  it('waits when a record is no longer rejected by the time that it is compared', async () => {
    const { writer, users, deadLetters } = setUp();
    users.rejects = ({ firstName }) => firstName === 'Bad';
    jest.spyOn(users, 'confirmRejection').mockImplementation(() => {
      users.rejects = () => false;
      return Promise.reject(new UnavailableError('no longer rejected'));
    });
    const record = buildRecord({ value: buildRegistration({ firstName: 'Bad' }) });

    await expect(writer.write([record])).rejects.toThrow(UnavailableError);
    await writer.write([record]);

    expect([users.rows.length, deadLetters.published.length]).toEqual([1, 0]);
  });

  it('leaves it to its caller to come back with fewer records when they take too long together', async () => {
    const { writer, users } = setUp();
    const tooSlow = new RejectedError('57014');
    const insert = jest.spyOn(users, 'insertMissing').mockRejectedValue(tooSlow);

    await expect(writer.write([buildRecord(), buildRecord()])).rejects.toBe(tooSlow);

    expect(insert).toHaveBeenCalledTimes(1);
  });

  it('makes a dead letter of the record that alone takes too long, when another one does not', async () => {
    const { writer, users, deadLetters } = setUp();
    jest.spyOn(users, 'insertMissing').mockRejectedValue(new RejectedError('57014'));
    jest.spyOn(users, 'confirmRejection').mockResolvedValue();

    await writer.write([buildRecord()]);

    expect(deadLetters.published).toMatchObject([
      { reason: 'unstorable', error: 'PostgreSQL rejects it (SQLSTATE 57014)' },
    ]);
  });

  it('gives the next record of an email its turn when the first cannot be stored', async () => {
    const { writer, users, deadLetters } = setUp();
    const bad = buildRegistration({ firstName: 'Bad' });
    users.rejects = ({ firstName }) => firstName === 'Bad';

    await writer.write([buildRecord({ value: bad }), buildRecord({ value: { ...bad, firstName: 'Good' } })]);

    expect(users.rows).toMatchObject([{ first_name: 'Good' }]);
    expect(deadLetters.published.map(({ reason }) => reason)).toEqual(['unstorable']);
  });

  it('marks and frees the emails of a whole batch in a few pipelines, marks first; a conflict is none of them', async () => {
    const { writer, pending, failed } = setUp();
    const pipelines: string[][] = [];
    let pipeline: string[] | undefined;
    // As RedisConnection: what is asked in one turn of the event loop leaves together.
    const ask = async (command: string): Promise<void> => {
      if (pipeline === undefined) {
        pipelines.push((pipeline = []));
        setImmediate(() => (pipeline = undefined));
      }
      pipeline.push(command);
      await new Promise((resolve) => setTimeout(resolve, 50));
    };
    failed.mark = (email) => ask(`mark ${email}`);
    pending.release = (email) => ask(`release ${email}`);
    const emails = Array.from({ length: 150 }, (_, nth) => `${nth}@example.com`);
    const bad = emails.map((email) =>
      buildRecord({ key: Buffer.from(email), value: '{', headers: { 'event-id': 'e' } }),
    );
    const stored = buildRegistration();
    const conflict = [buildRecord({ value: stored }), buildRecord({ value: { ...stored, sex: 'intersex' } })];

    await writer.write([...bad, ...conflict]);

    expect(pipelines.length).toBeLessThanOrEqual(2);
    expect(pipelines.flat()).toEqual(emails.flatMap((email) => [`mark ${email}`, `release ${email}`]));
  });

  it('frees an email after it has marked it, whichever of two servers is slow', async () => {
    const { writer, pending, failed } = setUp();
    const event = buildEvent();
    const { email } = event.registration;
    await pending.reserve(event);
    const seen: unknown[] = [];
    failed.mark = async () => {
      await new Promise(setImmediate);
      seen.push(await pending.isReserved(email));
    };

    await writer.write([
      buildRecord({ key: Buffer.from(email), value: '{', headers: { 'event-id': event.eventId } }),
    ]);

    expect([...seen, await pending.isReserved(email)]).toEqual([true, false]);
  });

  it('asks nothing of Redis where no dead letter has an email to mark', async () => {
    const { writer, failed, log } = setUp();
    failed.isUnavailable = true;

    await writer.write([
      buildRecord({ value: '{', key: null }),
      buildRecord({ value: '{', key: Buffer.from('a') }),
    ]);

    expect(log.lines.map(({ message }) => message)).toEqual(['dead letter', 'dead letter']);
  });

  it('leaves the reservation of another event alone', async () => {
    const { writer, users, pending } = setUp();
    const event = buildEvent();
    users.rejects = ({ email }) => email === event.registration.email;
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
    expect(deadLetters.published).toHaveLength(1);
    expect(log.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('could not mark failed registration'),
    );
  });

  it.each(['users', 'deadLetters'] as const)(
    'fails as a whole while %s is unavailable: no offset may be committed',
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

  it('is done only when every part of a split batch is written', async () => {
    const { writer, users, deadLetters } = setUp();
    users.rejects = ({ firstName }) => firstName === 'Bad';
    const insert = users.insertMissing.bind(users);
    users.insertMissing = async (registrations) => {
      await new Promise((resolve) => setImmediate(resolve));
      return insert(registrations);
    };

    await writer.write(
      ['Bad', 'Good', 'Good', 'Good'].map((firstName) =>
        buildRecord({ value: buildRegistration({ firstName }) }),
      ),
    );

    expect([users.rows.length, deadLetters.published.length]).toEqual([3, 1]);
  });

  it('goes on when Redis becomes unavailable between the mark and the release of a dead letter', async () => {
    const { writer, pending, failed, log } = setUp();
    pending.isUnavailable = true;

    await writer.write([buildRecord({ value: '{', key: Buffer.from('a@b.com') })]);

    expect(failed.entries.size).toBe(1);
    expect(log.lines.at(-1)).toMatchObject({
      message: expect.stringContaining('could not mark failed registration'),
    });
  });
});

describe('RegistrationWriter.write, where other programs are told', () => {
  const announced = ({ events }: ReturnType<typeof setUp>): unknown[] =>
    events.published.map((each) => ('user' in each ? [each.user.email, each.traceparent] : each));
  const TRACEPARENT = `00-${'a'.repeat(32)}-${'a'.repeat(16)}-01`;
  const tracedRecord = (value: unknown, traceparent: string) =>
    buildRecord({ value, headers: { traceparent: Buffer.from(traceparent) } });

  it('tells of each row once, with its trace, whether it is new or was there; of no other record', async () => {
    const world = setUp();
    const [known, added, taken] = [buildRegistration(), buildRegistration(), buildRegistration()];
    const unstorable = buildRegistration({ firstName: 'Bad' });
    world.users.rejects = ({ firstName }) => firstName === 'Bad';
    await world.users.insertMissing([known, taken]);

    await world.writer.write([
      tracedRecord(known, TRACEPARENT),
      buildRecord({ value: added }),
      buildRecord({ value: { ...taken, lastName: 'Roe' } }),
      buildRecord({ value: unstorable }),
      buildRecord({ value: 'broken' }),
      tracedRecord(known, TRACEPARENT.replace('a', 'b')),
    ]);

    expect(announced(world)).toEqual([
      [known.email, TRACEPARENT],
      [added.email, undefined],
    ]);
    expect(world.metrics.reasons.sort()).toEqual(['conflict', 'invalid', 'unstorable']);
  });

  it.each(['', 'a', `${TRACEPARENT}0`, TRACEPARENT.toUpperCase(), 'x'.repeat(1_000_000)])(
    'hands on no header that is no traceparent, however long (%#)',
    async (traceparent) => {
      const world = setUp();
      const stored = buildRegistration();

      await world.writer.write([tracedRecord(stored, traceparent)]);

      expect(announced(world)).toEqual([[stored.email, undefined]]);
    },
  );

  it('tells of nobody who was erased after the record, or before the event of a slow attempt', async () => {
    const world = setUp();
    const [old, gone] = [buildRegistration(), buildRegistration()];
    world.users.erasures.set(emailDigest(old.email), { erasedAtMs: Date.now(), eventIds: [] });
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now);
    const insert = world.users.insertMissing.bind(world.users);
    world.users.insertMissing = async (rows) => {
      const stored = await insert(rows);
      clock.mockReturnValue(now + 2001);
      world.users.rows.splice(0);
      return stored;
    };

    await world.writer.write([
      buildRecord({ value: old, headers: { 'accepted-at': '2020-01-01T00:00:00Z' } }),
      buildRecord({ value: gone }),
    ]);

    expect(announced(world)).toEqual([]);
    clock.mockRestore();
  });

  it('comes before the dead letters, which wait for Kafka’s confirmation, as the offset does; the caches do not wait', async () => {
    const world = setUp();
    const stored = buildRegistration();
    await world.pending.reserve(buildEvent({ registration: stored }));
    world.events.isUnavailable = true;
    const records = [
      buildRecord({ value: stored }),
      buildRecord({ value: { ...stored, lastName: 'Roe' }, offset: '1' }),
    ];

    await expect(world.writer.write(records)).rejects.toThrow(UnavailableError);
    await eventually(() => expect(world.pending.entries.size).toBe(0));
    const before = { cached: world.completed.entries.size, deadLetters: world.deadLetters.published.length };
    world.events.isUnavailable = false;
    await world.writer.write(records);

    expect(before).toEqual({ cached: 1, deadLetters: 0 });
    expect(announced(world)).toEqual([[stored.email, undefined]]);
    expect(world.deadLetters.published).toHaveLength(1);
  });

  it('reads no row again where nobody is told', async () => {
    const world = setUp();
    const registration = buildRegistration();
    const stored = new Map([[registration.email, buildUser(registration)]]);
    world.users.insertMissing = () => Promise.resolve(stored);
    const findByEmails = jest.spyOn(world.users, 'findByEmails');
    const deadLetterPublisher = new DeadLetterPublisher(world);
    const writer = new RegistrationWriter({ ...world, deadLetterPublisher, events: undefined });

    await writer.write([buildRecord({ value: registration })]);

    expect(world.completed.entries.size).toBe(1);
    expect(findByEmails).not.toHaveBeenCalled();
  });
});

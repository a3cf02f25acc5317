import { emailDigest } from '../../../src/domain/erasure';
import { RecentlyRegisteredError, UnavailableError } from '../../../src/domain/errors';
import { ErasureService, targetOf } from '../../../src/services/erasure-service';
import { ErasureSweeper } from '../../../src/services/erasure-sweeper';
import { buildEvent, buildRegistration, buildUser, uniqueEmail } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { InMemoryErasures, InMemoryUsers } from '../../support/fakes/postgres';
import {
  InMemoryFailureMarks,
  InMemoryReservationReader,
  InMemoryReservations,
  InMemoryUserCache,
} from '../../support/fakes/redis';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingUserEvents } from '../../support/fakes/kafka';
import { RecordingLogger } from '../../support/recording-logger';

function setUp() {
  const users = new InMemoryUsers();
  const pending = new InMemoryReservations();
  const stores = {
    users,
    pending,
    erasures: new InMemoryErasures(users),
    entries: new InMemoryReservationReader(pending),
    completed: new InMemoryUserCache(),
    failed: new InMemoryFailureMarks(),
    metrics: new RecordingMetrics(),
    log: new RecordingLogger(),
  };
  return { ...stores, service: new ErasureService(stores) };
}

const setRedis = ({ pending, completed, failed }: ReturnType<typeof setUp>, isUnavailable: boolean): void =>
  [pending, completed, failed].forEach((fake) => (fake.isUnavailable = isUnavailable));

describe('ErasureService', () => {
  it('leaves nothing anywhere, and one line in the log that names no one', async () => {
    const world = setUp();
    const event = buildEvent({ acceptedAt: new Date().toISOString() });
    const { email } = event.registration;
    await world.users.insertMissing([event.registration]);
    await world.pending.reserve(event);
    await world.completed.put([buildUser(event.registration)]);
    await world.failed.mark(email, 'unstorable');

    const receipt = await world.service.eraseOne(email, 'dpo', 'req-1');

    expect(receipt).toEqual({
      ...targetOf(email),
      erasedAt: expect.stringMatching(/Z$/) as string,
      row: true,
      finished: true,
    });
    expect(world.users.rows).toEqual([]);
    expect([world.pending, world.completed, world.failed].map(({ entries }) => entries.size)).toEqual([
      0, 0, 0,
    ]);
    expect(world.users.erasures.get(emailDigest(email))?.eventIds).toEqual([event.eventId]);
    expect(world.metrics.erasures).toBe(1);
    const fields = { requestedBy: 'dpo', requestId: 'req-1', row: true, finished: true };
    expect(world.log.lines).toEqual([{ level: 'info', message: 'user erased', ...fields }]);
  });

  it('leaves the reservation of who registers anew meanwhile', async () => {
    const { service, pending, erasures } = setUp();
    const anew = buildEvent({ acceptedAt: new Date().toISOString() });
    const erase = erasures.erase.bind(erasures);
    erasures.erase = async (targets) => {
      const erased = await erase(targets);
      await pending.reserve(anew);
      return erased;
    };

    await service.eraseOne(anew.registration.email, 'dpo', 'req');

    expect(pending.entries.get(anew.registration.email)).toBe(anew);
  });

  it('says when Redis could not be cleaned, or it could not be noted; they are erased all the same', async () => {
    const world = setUp();
    setRedis(world, true);
    expect(await world.service.eraseOne(uniqueEmail(), 'dpo', 'req')).toMatchObject({ finished: false });

    setRedis(world, false);
    world.erasures.markSwept = () => Promise.reject(new UnavailableError('away'));
    expect(await world.service.eraseOne(uniqueEmail(), 'dpo', 'req')).toMatchObject({ finished: false });
  });

  it('refuses a row that is too young, and changes nothing', async () => {
    const { service, users, metrics, log } = setUp();
    const user = { ...buildUser(), created_at: new Date().toISOString() };
    users.rows.push(user);

    await expect(service.eraseOne(user.email, 'dpo', 'req')).rejects.toThrow(RecentlyRegisteredError);

    expect([users.rows, metrics.erasures, log.lines]).toEqual([[user], 0, []]);
  });

  it('erases nothing while PostgreSQL is unavailable', async () => {
    const world = setUp();
    world.erasures.isUnavailable = true;
    const registration = buildRegistration();
    await world.completed.put([buildUser(registration)]);

    await expect(world.service.eraseOne(registration.email, 'dpo', 'req')).rejects.toThrow(UnavailableError);
    expect(world.completed.entries.size).toBe(1);
  });

  it('erases many, each once, by email or digest', async () => {
    const { service, users } = setUp();
    const [known, unknown] = [buildRegistration(), buildRegistration()];
    await users.insertMissing([known]);
    const digests = [known, unknown].map(({ email }) => emailDigest(email));

    const targets = await service.targetsOf(digests);
    const receipts = await service.erase([...targets, targetOf(known.email)], 'cli');

    expect(targets.map(({ email }) => email)).toEqual([known.email, undefined]);
    expect(receipts.map(({ digest, row, finished }) => ({ digest, row, finished }))).toEqual([
      { digest: digests[0], row: true, finished: true },
      { digest: digests[1], row: false, finished: true },
    ]);
  });
});

describe('ErasureSweeper', () => {
  function setUpSweeper(events?: RecordingUserEvents) {
    const world = setUp();
    const { erasures, service, log } = world;
    const settings = { redis: { connectedMs: 60_000 }, memoryDays: 90, intervalMs: 5 };
    return { ...world, sweeper: new ErasureSweeper({ erasures, service, events, log, ...settings }) };
  }

  it('cleans Redis once it is back, of what a reader put there, too', async () => {
    const world = setUpSweeper();
    const user = buildUser();
    await world.completed.put([user]);
    setRedis(world, true);
    await world.service.eraseOne(user.email, 'dpo', 'req');
    world.sweeper.start();
    await eventually(() => expect(world.sweeper.unfinished).toBe(1));

    setRedis(world, false);

    await eventually(() => expect(world.sweeper.unfinished).toBe(0));
    world.sweeper.stop();
    expect(world.completed.entries.size).toBe(0);
  });

  it('looks every 15 s: what comes back with Redis is gone well within a minute', async () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    const { erasures, service, log } = setUp();
    const sweep = jest.spyOn(erasures, 'sweep');
    const settings = { events: undefined, redis: { connectedMs: 1 }, memoryDays: 90, intervalMs: undefined };
    const sweeper = new ErasureSweeper({ erasures, service, log, ...settings });

    sweeper.start();
    await jest.advanceTimersByTimeAsync(45_500);

    sweeper.stop();
    jest.useRealTimers();
    expect(sweep).toHaveBeenCalledTimes(3);
  });

  it('tells others who was erased, once Kafka is back, also while Redis is unavailable', async () => {
    const events = new RecordingUserEvents();
    const world = setUpSweeper(events);
    world.users.rows.push(buildUser(buildRegistration(), 17));
    setRedis(world, true);
    events.isUnavailable = true;
    await world.service.eraseOne(world.users.rows[0]?.email ?? '', 'dpo', 'req');
    world.sweeper.start();
    await eventually(() => expect(world.sweeper.unfinished).toBe(2));

    events.isUnavailable = false;

    await eventually(() => expect(world.sweeper.unfinished).toBe(1));
    world.sweeper.stop();
    expect(events.published).toEqual([{ id: 17, erasedAtMs: expect.any(Number) as number }]);
  });

  it('cleans Redis while Kafka is unavailable', async () => {
    const events = new RecordingUserEvents();
    const world = setUpSweeper(events);
    const user = buildUser();
    world.users.rows.push(user);
    events.isUnavailable = true;
    await world.service.eraseOne(user.email, 'dpo', 'req');
    await world.completed.put([user]);
    world.sweeper.start();

    await eventually(() => expect(world.sweeper.unfinished).toBe(1));
    world.sweeper.stop();
    expect(events.published).toEqual([]);
  });

  it('puts the row of who has registered anew in the place of the old one', async () => {
    const { service, completed, users } = setUp();
    const registration = buildRegistration();
    const [old, anew] = [buildUser(registration, 1), buildUser(registration, 2)];
    await completed.put([old]);
    users.rows.push(anew);

    await service.clean([{ email: registration.email, erasedAtMs: Date.now(), eventIds: [], user: anew }]);

    expect(completed.entries.get(registration.email)).toBe(anew);
  });

  it('goes on after an error that is a bug, which it logs', async () => {
    const { sweeper, erasures, log } = setUpSweeper();
    const sweep = jest.spyOn(erasures, 'sweep').mockRejectedValueOnce(new TypeError('a bug'));

    sweeper.start();

    await eventually(() => expect(sweep.mock.calls.length).toBeGreaterThan(2));
    sweeper.stop();
    expect(log.lines).toEqual([expect.objectContaining({ message: 'erasures could not be finished' })]);
  });

  it('tries again while PostgreSQL is unavailable, without a word: others report it', async () => {
    const { sweeper, erasures, log } = setUpSweeper();
    erasures.isUnavailable = true;
    const sweep = jest.spyOn(erasures, 'sweep');
    sweeper.start();
    await eventually(() => expect(sweep.mock.calls.length).toBeGreaterThan(1));

    sweeper.stop();

    expect(log.lines).toEqual([]);
  });
});

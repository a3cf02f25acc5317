import { DependencyStatus } from '../../../src/services/dependency-status';
import { DoubtfulKeysRepair } from '../../../src/services/doubtful-keys-repair';
import { buildEvent } from '../../support/builders';
import {
  InMemoryCompletedUsers,
  InMemoryPendingEntries,
  InMemoryPendingRegistrations,
  InMemoryUsers,
} from '../../support/fakes';
import { RecordingLogger } from '../../support/recording-logger';

const SOME_ROUNDS_MS = 10_000;

function setUp() {
  const pending = new InMemoryPendingRegistrations();
  const connection = { count: 1 };
  const deps = {
    users: new InMemoryUsers(),
    completed: new InMemoryCompletedUsers(),
    pending,
    entries: new InMemoryPendingEntries(pending),
    connections: () => connection.count,
    redis: new DependencyStatus('redis'),
    log: new RecordingLogger(),
  };
  return { ...deps, connection, repair: new DoubtfulKeysRepair(deps) };
}

describe('DoubtfulKeysRepair', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('caches the rows and frees the reservations once Redis answers again; e-mails without a row keep theirs', async () => {
    const { repair, users, completed, pending, redis } = setUp();
    const [stored, underWay] = [buildEvent(), buildEvent()];
    await Promise.all([pending.reserve(stored), pending.reserve(underWay)]);
    await users.insertMissing([stored.registration]);
    repair.add([stored.registration.email, underWay.registration.email]);
    redis.update(true);

    repair.start();
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    repair.stop();

    expect([...completed.entries.keys()]).toEqual([stored.registration.email]);
    expect([...pending.entries.values()]).toEqual([underWay]);
  });

  it('frees the reservations of stored e-mails behind each new connection, whoever left them there', async () => {
    const { repair, users, pending, connection, redis } = setUp();
    const [atStart, fromBackup, underWay] = [buildEvent(), buildEvent(), buildEvent()];
    await users.insertMissing([atStart.registration, fromBackup.registration]);
    await Promise.all([pending.reserve(atStart), pending.reserve(underWay)]);
    redis.update(true);

    repair.start();
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    const afterStart = [...pending.entries.values()];
    await pending.reserve(fromBackup);
    connection.count += 1;
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    repair.stop();

    expect(afterStart).toEqual([underWay]);
    expect([...pending.entries.values()]).toEqual([underWay]);
  });

  it('waits while Redis is away', async () => {
    const { repair, users, completed, redis } = setUp();
    const event = buildEvent();
    await users.insertMissing([event.registration]);
    repair.add([event.registration.email]);
    redis.update(false);

    repair.start();
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    repair.stop();

    expect(completed.entries.size).toBe(0);
  });

  it.each(['users', 'completed'] as const)('tries again when %s fails meanwhile', async (name) => {
    const world = setUp();
    const event = buildEvent();
    await world.users.insertMissing([event.registration]);
    world.repair.add([event.registration.email]);
    world.redis.update(true);
    world[name].isAway = true;
    world.repair.start();
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    expect(world.completed.entries.size).toBe(0);

    world[name].isAway = false;
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    world.repair.stop();

    expect(world.completed.entries.size).toBe(1);
  });

  it('reports what is no outage and goes on', async () => {
    const { repair, users, redis, log } = setUp();
    users.findByEmails = () => Promise.reject(new TypeError('bug'));
    repair.add(['a@example.com']);
    redis.update(true);

    repair.start();
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    repair.stop();

    expect(log.lines[0]).toMatchObject({ level: 'error', error: { name: 'TypeError' } });
  });

  it('is bounded: the oldest e-mail is dropped first', async () => {
    const { repair, users, redis } = setUp();
    const asked: string[] = [];
    users.findByEmails = (emails) => {
      asked.push(...emails);
      return Promise.resolve([]);
    };
    repair.add(Array.from({ length: 100_001 }, (_, index) => `user-${index}@example.com`));
    redis.update(true);

    repair.start();
    await jest.advanceTimersByTimeAsync(SOME_ROUNDS_MS);
    repair.stop();

    expect(asked).toHaveLength(100_000);
    expect(asked).not.toContain('user-0@example.com');
  });
});

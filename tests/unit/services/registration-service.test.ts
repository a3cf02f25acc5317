import {
  AlreadyRegisteredError,
  RegistrationInProgressError,
  UnavailableError,
} from '../../../src/domain/errors';
import { RegistrationService } from '../../../src/services/registration-service';
import { buildEvent, buildRegistration, buildUser } from '../../support/builders';
import { eventually } from '../../support/eventually';
import {
  InMemoryCompletedUsers,
  InMemoryFailedRegistrations,
  InMemoryPendingRegistrations,
  InMemoryUsers,
  RecordingDoubtfulKeys,
  RecordingMeasurements,
  RecordingQueue,
} from '../../support/fakes';

function setUp() {
  const deps = {
    pending: new InMemoryPendingRegistrations(),
    completed: new InMemoryCompletedUsers(),
    failed: new InMemoryFailedRegistrations(),
    users: new InMemoryUsers(),
    queue: new RecordingQueue(),
    doubtfulKeys: new RecordingDoubtfulKeys(),
    measurements: new RecordingMeasurements(),
    deliveryTimeoutMs: 30,
  };
  return { ...deps, service: new RegistrationService(deps) };
}

function redisAway({ pending, completed, failed }: ReturnType<typeof setUp>): void {
  [pending, completed, failed].forEach((fake) => (fake.isAway = true));
}

describe('RegistrationService.register', () => {
  it('reserves the e-mail and publishes the reserved event', async () => {
    const { service, pending, queue, measurements } = setUp();
    const registration = buildRegistration();

    await service.register(registration, 'req-1');

    const event = pending.entries.get(registration.email);
    expect(event?.registration).toEqual(registration);
    expect(queue.published).toEqual([{ event, requestId: 'req-1' }]);
    expect(measurements.decidedAlone).toEqual([]);
  });

  it('sends the pending event again when the same fields come again', async () => {
    const { service, pending, queue } = setUp();
    const first = buildEvent();
    await pending.reserve(first);

    await service.register({ ...first.registration }, 'req-2');

    expect(queue.published).toEqual([{ event: first, requestId: 'req-2' }]);
  });

  it('refuses other fields while a registration is pending', async () => {
    const { service, pending, queue } = setUp();
    const first = buildEvent();
    await pending.reserve(first);

    const register = service.register({ ...first.registration, firstName: 'Jane' }, 'req-2');

    await expect(register).rejects.toThrow(RegistrationInProgressError);
    expect(queue.published).toEqual([]);
    expect(pending.entries.get(first.registration.email)).toBe(first);
  });

  it('treats a reservation that cannot be read as another registration', async () => {
    const { service, pending, queue } = setUp();
    pending.reserve = () => Promise.resolve(undefined);

    await expect(service.register(buildRegistration(), 'req-1')).rejects.toThrow(RegistrationInProgressError);
    expect(queue.published).toEqual([]);
  });

  it.each(['the cache', 'the table'])(
    'refuses an e-mail that %s knows, and releases its own reservation',
    async (where) => {
      const { service, pending, completed, users, queue } = setUp();
      const registration = buildRegistration();
      if (where === 'the cache') await completed.put([buildUser(registration)]);
      else await users.insertMissing([registration]);

      await expect(service.register(registration, 'req-1')).rejects.toThrow(AlreadyRegisteredError);
      expect(queue.published).toEqual([]);
      expect(pending.entries.size).toBe(0);
    },
  );

  it('leaves the reservation of another one to the repair when the e-mail has a row', async () => {
    const { service, pending, users, doubtfulKeys } = setUp();
    const first = buildEvent();
    await pending.reserve(first);
    await users.insertMissing([first.registration]);

    await expect(service.register(first.registration, 'req-2')).rejects.toThrow(AlreadyRegisteredError);
    expect(pending.entries.get(first.registration.email)).toBe(first);
    expect(doubtfulKeys.emails).toEqual([first.registration.email]);
  });

  it('accepts nobody between the row and its cache entry, whoever has been refused meanwhile', async () => {
    const { service, pending, users, queue } = setUp();
    const first = buildEvent();
    await pending.reserve(first);
    await users.insertMissing([first.registration]);
    await expect(service.register({ ...first.registration, firstName: 'Second' }, 'req-2')).rejects.toThrow(
      AlreadyRegisteredError,
    );
    // Asked before the row was there; its commands reach Redis last.
    users.isRegistered = () => Promise.resolve(false);

    const third = service.register({ ...first.registration, firstName: 'Third' }, 'req-3');

    await expect(third).rejects.toThrow(RegistrationInProgressError);
    expect(queue.published).toEqual([]);
  });

  it('remembers the e-mail when its own reservation cannot be released', async () => {
    const { service, pending, users, doubtfulKeys } = setUp();
    const registration = buildRegistration();
    await users.insertMissing([registration]);
    pending.release = () => Promise.reject(new UnavailableError('away'));

    await expect(service.register(registration, 'req-1')).rejects.toThrow(AlreadyRegisteredError);
    expect(doubtfulKeys.emails).toEqual([registration.email]);
  });

  it('asks for room first: a full queue leaves no reservation behind', async () => {
    const { service, pending, queue } = setUp();
    queue.isFull = true;

    await expect(service.register(buildRegistration(), 'req-1')).rejects.toThrow(UnavailableError);
    expect(pending.entries.size).toBe(0);
  });

  it('gives its room back when it is refused', async () => {
    const { service, users, queue } = setUp();
    const registration = buildRegistration();
    await users.insertMissing([registration]);

    await expect(service.register(registration, 'req-1')).rejects.toThrow(AlreadyRegisteredError);
    expect(queue.claims).toBe(0);
  });

  it('keeps the reservation when Kafka does not confirm in time: the event may still arrive', async () => {
    const { service, pending, queue } = setUp();
    queue.isSilent = true;
    const registration = buildRegistration();

    await expect(service.register(registration, 'req-1')).rejects.toThrow(
      'Kafka did not confirm within 30 ms',
    );
    expect(pending.entries.get(registration.email)?.registration).toEqual(registration);
  });

  it('forgets an earlier failure', async () => {
    const { service, failed } = setUp();
    const registration = buildRegistration();
    await failed.mark(registration.email, 'unstorable');

    await service.register(registration, 'req-1');

    await eventually(() => expect(failed.entries.size).toBe(0));
  });

  describe('with Redis away', () => {
    it('lets PostgreSQL decide, and has the keys checked later', async () => {
      const world = setUp();
      redisAway(world);
      const registration = buildRegistration();

      await world.service.register(registration, 'req-1');

      expect(world.queue.published).toHaveLength(1);
      expect(world.doubtfulKeys.emails).toEqual([registration.email]);
      expect(world.measurements.decidedAlone).toEqual(['redis']);
    });

    it('refuses an e-mail that has a row', async () => {
      const world = setUp();
      redisAway(world);
      const registration = buildRegistration();
      await world.users.insertMissing([registration]);

      await expect(world.service.register(registration, 'req-1')).rejects.toThrow(AlreadyRegisteredError);
    });
  });

  describe('with PostgreSQL away', () => {
    it('lets Redis decide: a new e-mail is accepted', async () => {
      const { service, users, queue, measurements } = setUp();
      users.isAway = true;

      await service.register(buildRegistration(), 'req-1');

      expect(queue.published).toHaveLength(1);
      expect(measurements.decidedAlone).toEqual(['postgres']);
    });

    it('refuses an e-mail that the cache knows', async () => {
      const { service, users, completed } = setUp();
      users.isAway = true;
      const registration = buildRegistration();
      await completed.put([buildUser(registration)]);

      await expect(service.register(registration, 'req-1')).rejects.toThrow(AlreadyRegisteredError);
    });
  });

  it('accepts nothing when neither Redis nor PostgreSQL can tell', async () => {
    const world = setUp();
    redisAway(world);
    world.users.isAway = true;

    await expect(world.service.register(buildRegistration(), 'req-1')).rejects.toThrow(UnavailableError);
    expect(world.queue.published).toEqual([]);
  });

  it.each(['pending', 'users'] as const)('passes on what is no outage (%s)', async (name) => {
    const world = setUp();
    const bug = new TypeError('bug');
    if (name === 'pending') world.pending.reserve = () => Promise.reject(bug);
    else world.users.isRegistered = () => Promise.reject(bug);

    await expect(world.service.register(buildRegistration(), 'req-1')).rejects.toBe(bug);
  });
});

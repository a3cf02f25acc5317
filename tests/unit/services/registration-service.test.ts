import { emailDigest } from '../../../src/domain/erasure';
import {
  AlreadyRegisteredError,
  RegistrationInProgressError,
  UnavailableError,
} from '../../../src/domain/errors';
import { RegistrationService } from '../../../src/services/registration-service';
import { buildEvent, buildRegistration, buildUser } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { InMemoryUserCache, InMemoryFailureMarks, InMemoryReservations } from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingQueue } from '../../support/fakes/kafka';
import { RecordingLogger } from '../../support/recording-logger';

function setUp() {
  const deps = {
    pending: new InMemoryReservations(),
    completed: new InMemoryUserCache(),
    failed: new InMemoryFailureMarks(),
    users: new InMemoryUsers(),
    queue: new RecordingQueue(),
    metrics: new RecordingMetrics(),
    deliveryTimeoutMs: 30,
    log: new RecordingLogger(),
  };
  return { ...deps, service: new RegistrationService(deps) };
}

function redisUnavailable({ pending, completed, failed }: ReturnType<typeof setUp>): void {
  [pending, completed, failed].forEach((fake) => (fake.isUnavailable = true));
}

describe('RegistrationService.register', () => {
  it('reserves the email and publishes the reserved event', async () => {
    const { service, pending, queue, metrics } = setUp();
    const registration = buildRegistration();

    await service.register(registration, 'req-1');

    const event = pending.entries.get(registration.email);
    expect(event?.registration).toEqual(registration);
    expect(queue.published).toEqual([{ event, requestId: 'req-1' }]);
    expect(metrics.decidedAlone).toEqual([]);
  });

  it('looks for a stored user after it has reserved, whichever of two servers is slow', async () => {
    const { service, pending, completed, queue } = setUp();
    const registration = buildRegistration();
    const reserve = pending.reserve.bind(pending);
    // The writer was quicker: it has cached the user and deleted the reservation before.
    pending.reserve = async (candidate) => {
      await new Promise(setImmediate);
      await completed.put([buildUser(registration)]);
      return reserve(candidate);
    };

    await expect(service.register({ ...registration, firstName: 'Jane' }, 'req-1')).rejects.toThrow(
      AlreadyRegisteredError,
    );
    expect(queue.published).toEqual([]);
  });

  it('sends the pending event again when the same fields come again', async () => {
    const { service, pending, queue } = setUp();
    const first = buildEvent();
    await pending.reserve(first);

    await service.register({ ...first.registration }, 'req-2');

    expect(queue.published).toEqual([{ event: first, requestId: 'req-2' }]);
  });

  it.each([
    ['the same fields', {}],
    ['other fields', { firstName: 'Jane' }],
  ])('takes over the reservation of an event that was erased, for %s', async (_what, fields) => {
    const { service, pending, users, queue } = setUp();
    const erased = buildEvent();
    const { registration } = erased;
    await pending.reserve(erased);
    users.erasures.set(emailDigest(registration.email), { erasedAtMs: Date.now(), eventIds: [] });

    await service.register({ ...registration, ...fields }, 'req-2');

    const [sent] = queue.published;
    expect(sent?.event).toMatchObject({ registration: { ...registration, ...fields } });
    expect(sent?.event.eventId).not.toBe(erased.eventId);
    expect(pending.entries.get(registration.email)).toEqual(sent?.event);
  });

  it('accepts the pending event anew when nobody can tell whether it was erased', async () => {
    const { service, pending, users, queue } = setUp();
    const first = buildEvent({ acceptedAt: '2026-01-01T00:00:00.000Z' });
    await pending.reserve(first);
    users.isUnavailable = true;

    await service.register({ ...first.registration }, 'req-2');

    const [sent] = queue.published;
    const { acceptedAt, ...others } = sent?.event ?? first;
    expect({ ...others, acceptedAt: first.acceptedAt }).toEqual(first);
    expect(Date.now() - Date.parse(acceptedAt)).toBeLessThan(60_000);
    expect(pending.entries.get(first.registration.email)).toBe(first);
  });

  it('gives up when that reservation cannot be released', async () => {
    const { service, pending, users } = setUp();
    const erased = buildEvent();
    await pending.reserve(erased);
    users.erasures.set(emailDigest(erased.registration.email), { erasedAtMs: Date.now(), eventIds: [] });
    pending.release = () => Promise.resolve();

    const register = service.register({ ...erased.registration, firstName: 'Jane' }, 'req-2');

    await expect(register).rejects.toThrow(RegistrationInProgressError);
  });

  it('rejects other fields while a registration is pending', async () => {
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
    'rejects an email that %s knows, and releases its own reservation',
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

  it.each(['known to the cache', 'only in the table'])(
    "ends another client's reservation of a stored email, %s",
    async (where) => {
      const { service, pending, completed, users } = setUp();
      const first = buildEvent();
      const { email } = first.registration;
      await pending.reserve(first);
      await users.insertMissing([first.registration]);
      if (where === 'known to the cache') await completed.put(users.rows);

      await expect(service.register(first.registration, 'req-2')).rejects.toThrow(AlreadyRegisteredError);

      await eventually(() => expect(pending.entries.has(email)).toBe(false));
      expect(completed.entries.get(email)).toEqual(users.rows[0]);
    },
  );

  it('accepts no other registration before the row is cached: its reservation goes last', async () => {
    const { service, pending, completed, users, queue } = setUp();
    const first = buildEvent();
    await pending.reserve(first);
    await users.insertMissing([first.registration]);
    const put = completed.put.bind(completed);
    let cache = (): unknown => undefined;
    completed.put = (rows) => new Promise((resolve) => (cache = () => resolve(put(rows))));
    const clear = jest.spyOn(pending, 'clear');
    const register = (firstName: string) =>
      service.register({ ...first.registration, firstName }, 'req').catch((error: unknown) => error);
    expect(await register('Second')).toBeInstanceOf(AlreadyRegisteredError);
    // PostgreSQL answered these before the row was there; their commands reach Redis last.
    users.isRegistered = () => Promise.resolve(false);

    const beforeIsCached = await register('Third');
    const clearsBeforeIsCached = clear.mock.calls.length;
    cache();
    await eventually(() => expect(pending.entries.size).toBe(0));
    const afterIsCached = await register('Fourth');

    expect(beforeIsCached).toBeInstanceOf(RegistrationInProgressError);
    expect(clearsBeforeIsCached).toBe(0);
    expect(afterIsCached).toBeInstanceOf(AlreadyRegisteredError);
    expect(queue.published).toEqual([]);
  });

  it.each(['findByEmail', 'put', 'clear', 'release'] as const)(
    'answers although a reservation cannot be ended (%s); logs it unless a store is unavailable',
    async (method) => {
      const world = setUp();
      const { service, pending, completed, users, log } = world;
      const { registration } = buildEvent();
      await users.insertMissing([registration]);
      const errors = [new UnavailableError('unavailable'), new TypeError('bug')];
      const fail = (): Promise<never> => Promise.reject(errors.shift() ?? new Error('called too often'));
      if (method === 'findByEmail') users.findByEmail = fail;
      if (method === 'put') completed.put = fail;
      if (method === 'clear') pending.clear = fail;
      if (method === 'release') pending.release = fail;
      users.isRegistered = () => Promise.resolve(true);
      const register = async (): Promise<void> => {
        if (method !== 'release') await pending.reserve(buildEvent({ registration }));
        await expect(service.register(registration, 'req-1')).rejects.toThrow(AlreadyRegisteredError);
        pending.entries.clear();
      };

      await register();
      await register();

      await eventually(() =>
        expect(log.lines).toMatchObject([{ level: 'error', error: { message: 'bug' } }]),
      );
    },
  );

  it('acquires its send permit first: a full queue leaves no reservation', async () => {
    const { service, pending, queue } = setUp();
    queue.isFull = true;

    await expect(service.register(buildRegistration(), 'req-1')).rejects.toThrow(UnavailableError);
    expect(pending.entries.size).toBe(0);
  });

  it('releases its send permit when it is rejected', async () => {
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

  describe('with Redis unavailable', () => {
    it('lets PostgreSQL decide', async () => {
      const world = setUp();
      redisUnavailable(world);
      const registration = buildRegistration();

      await world.service.register(registration, 'req-1');

      expect(world.queue.published).toHaveLength(1);
      expect(world.metrics.decidedAlone).toEqual(['redis']);
    });
  });

  describe('with PostgreSQL unavailable', () => {
    it('lets Redis decide: a new email is accepted', async () => {
      const { service, users, queue, metrics } = setUp();
      users.isUnavailable = true;

      await service.register(buildRegistration(), 'req-1');

      expect(queue.published).toHaveLength(1);
      expect(metrics.decidedAlone).toEqual(['postgres']);
    });
  });

  it('accepts nothing when neither Redis nor PostgreSQL can tell', async () => {
    const world = setUp();
    redisUnavailable(world);
    world.users.isUnavailable = true;

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

  it('keeps a failure that is younger than the reservation it joins', async () => {
    const { service, pending, failed } = setUp();
    const first = buildEvent();
    await pending.reserve(first);
    await failed.mark(first.registration.email, 'unstorable');

    await service.register(first.registration, 'req-2');

    expect(failed.entries.size).toBe(1);
  });
});

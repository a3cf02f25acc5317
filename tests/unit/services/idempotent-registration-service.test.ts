import {
  AlreadyRegisteredError,
  IdempotencyKeyReusedError,
  RegistrationInProgressError,
  UnavailableError,
} from '../../../src/domain/errors';
import type { Registration } from '../../../src/domain/registration';
import { IdempotentRegistrationService } from '../../../src/services/idempotent-registration-service';
import { RegistrationService } from '../../../src/services/registration-service';
import { buildEvent, buildRegistration, buildUser } from '../../support/builders';
import {
  InMemoryUserCache,
  InMemoryFailureMarks,
  InMemoryIdempotencyStore,
  InMemoryReservations,
} from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingQueue } from '../../support/fakes/kafka';
import { RecordingLogger } from '../../support/recording-logger';

const KEY = 'key-1';

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
  const records = new InMemoryIdempotencyStore();
  const registrations = new RegistrationService(deps);
  const { completed, users } = deps;
  const service = new IdempotentRegistrationService({
    records,
    registrations,
    completed,
    users,
    redisTimeoutMs: 300,
  });
  /** Resolves to the result, or to the error. */
  const register = (registration: Registration): Promise<unknown> =>
    service.register({ key: KEY, registration, requestId: 'req-1' }).catch((error: unknown) => error);
  /** Its row is there, its reservation gone. */
  const store = async (registration: Registration) => {
    await users.insertMissing([registration]);
    await deps.pending.clear([registration.email]);
  };
  return { ...deps, records, register, store };
}

type World = ReturnType<typeof setUp>;

describe('IdempotentRegistrationService.register', () => {
  it.each(Object.keys(buildRegistration()))('rejects another %s under the same key', async (field) => {
    const { register, queue } = setUp();
    const registration = buildRegistration();
    await register(registration);

    const result = await register({ ...registration, [field]: 'other' });

    expect(result).toBeInstanceOf(IdempotencyKeyReusedError);
    expect(queue.published).toHaveLength(1);
  });

  it.each<[string, (world: World, registration: Registration) => unknown, new (...args: never[]) => Error]>([
    ['Kafka does not confirm', ({ queue }) => (queue.isSilent = true), UnavailableError],
    ['the queue is full', ({ queue }) => (queue.isFull = true), UnavailableError],
    [
      'the email is reserved for other fields',
      ({ pending }, registration) =>
        pending.reserve(buildEvent({ registration: { ...registration, firstName: 'Jane' } })),
      RegistrationInProgressError,
    ],
    [
      'the email is registered',
      ({ completed }, registration) => completed.put([buildUser(registration)]),
      AlreadyRegisteredError,
    ],
    [
      'there is a bug',
      ({ pending }) => jest.spyOn(pending, 'reserve').mockRejectedValueOnce(new TypeError('bug')),
      TypeError,
    ],
  ])('decides again after an error (%s), but for no other registration', async (_when, breakIt, error) => {
    const world = setUp();
    const registration = buildRegistration();
    await breakIt(world, registration);

    const first = await world.register(registration);
    Object.assign(world.queue, { isSilent: false, isFull: false });
    [world.pending, world.completed].forEach(({ entries }) => entries.clear());
    const other = await world.register(buildRegistration());
    const retry = await world.register(registration);

    expect(first).toBeInstanceOf(error);
    expect(other).toBeInstanceOf(IdempotencyKeyReusedError);
    expect(retry).toBe('accepted');
  });

  it('replays no registration of another client, however often it is asked', async () => {
    const { register, store } = setUp();
    const registration = buildRegistration();
    await store(registration);

    const results = [await register(registration), await register(registration)];

    expect(results).toEqual([expect.any(AlreadyRegisteredError), expect.any(AlreadyRegisteredError)]);
  });

  describe('after an attempt that may have been accepted', () => {
    const ends: [string, (world: World, registration: Registration) => Promise<unknown>][] = [
      [
        'that Kafka did not confirm',
        async ({ register, queue }, registration) => {
          queue.isSilent = true;
          await register(registration);
          queue.isSilent = false;
        },
      ],
      [
        'whose process died',
        async ({ records, register }, registration) => {
          const finish = jest.spyOn(records, 'finish').mockResolvedValue(undefined);
          await register(registration);
          finish.mockRestore();
          records.expireLock(KEY);
        },
      ],
    ];

    it.each(ends)('%s, replays its row', async (_what, attempt) => {
      const world = setUp();
      const registration = buildRegistration();
      await attempt(world, registration);
      await world.store(registration);

      expect(await world.register(registration)).toBe('replayed');
      world.users.rows.length = 0;
      expect(await world.register(registration)).toBe('replayed');
    });

    it('replays the row that only the cache can tell', async () => {
      const world = setUp();
      const registration = buildRegistration();
      await ends[0]?.[1](world, registration);
      world.users.isUnavailable = true;
      await world.completed.put([buildUser(registration)]);

      expect(await world.register(registration)).toBe('replayed');
    });

    it('says who is stored when the fields are others, and asks again next time', async () => {
      const world = setUp();
      const registration = buildRegistration();
      await ends[0]?.[1](world, registration);
      await world.store({ ...registration, firstName: 'Jane' });

      const other = await world.register(registration);
      world.users.rows.length = 0;
      await world.store(registration);
      const own = await world.register(registration);

      expect([other, own]).toEqual([expect.any(AlreadyRegisteredError), 'replayed']);
    });

    it('is unavailable when no store can tell whose row it is', async () => {
      const world = setUp();
      const registration = buildRegistration();
      await ends[0]?.[1](world, registration);
      await world.store(registration);
      world.users.isRegistered = () => Promise.resolve(true);
      jest.spyOn(world.users, 'findByEmail').mockRejectedValueOnce(new UnavailableError('unavailable'));

      const results = [await world.register(registration), await world.register(registration)];

      expect(results).toEqual([expect.any(UnavailableError), 'replayed']);
    });
  });

  describe('with Redis unavailable', () => {
    it('accepts although that cannot be kept', async () => {
      const { register, records } = setUp();
      records.finish = () => Promise.reject(new UnavailableError('unavailable'));

      expect(await register(buildRegistration())).toBe('accepted');
    });

    it('keeps what it accepts also where only the answer to the claim was lost', async () => {
      const { register, records } = setUp();
      const registration = buildRegistration();
      const claim = records.claim.bind(records);
      jest.spyOn(records, 'claim').mockImplementationOnce(async (attempt) => {
        await claim(attempt);
        throw new UnavailableError('late');
      });

      const results = [await register(registration), await register(registration)];

      expect(results).toEqual(['accepted', 'replayed']);
    });

    it('waits 300 ms for it in all, however many commands there are', async () => {
      jest.useFakeTimers();
      const { register, records, pending, completed, queue } = setUp();
      const never = () => new Promise<never>(() => undefined);
      Object.assign(records, { claim: never, finish: never });
      Object.assign(pending, { reserve: never });
      Object.assign(completed, { find: never });

      const result = register(buildRegistration());
      await jest.advanceTimersByTimeAsync(299);
      const before = queue.published.length;
      await jest.advanceTimersByTimeAsync(10);
      jest.useRealTimers();

      expect(before).toBe(0);
      expect(await result).toBe('accepted');
    });
  });

  it('replays no registration of another client that came after a rejection either', async () => {
    const { register, pending, store } = setUp();
    const registration = buildRegistration();
    await pending.reserve(buildEvent({ registration: { ...registration, firstName: 'Jane' } }));
    const rejected = await register(registration);

    await store(registration);
    const retry = await register(registration);

    expect(rejected).toBeInstanceOf(RegistrationInProgressError);
    expect(retry).toBeInstanceOf(AlreadyRegisteredError);
  });

  it('has recorded how it ended before it responds: the next attempt goes on at once', async () => {
    const { register, records, queue } = setUp();
    const finish = records.finish.bind(records);
    records.finish = async (attempt, result) => {
      await new Promise((resolve) => setImmediate(resolve));
      await finish(attempt, result);
    };
    const registration = buildRegistration();
    queue.isFull = true;
    const failed = await register(registration);
    queue.isFull = false;

    const results = [await register(registration), await register(registration)];

    expect(failed).toBeInstanceOf(UnavailableError);
    expect(results).toEqual(['accepted', 'replayed']);
  });
});

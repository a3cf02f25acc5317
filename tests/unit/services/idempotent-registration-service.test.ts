import {
  AlreadyRegisteredError,
  IdempotencyKeyReusedError,
  IdempotentRequestInProgressError,
  RegistrationInProgressError,
  UnavailableError,
  ValidationError,
} from '../../../src/domain/errors';
import { parseRegistration, type Registration } from '../../../src/domain/registration';
import { IdempotentRegistrationService } from '../../../src/services/idempotent-registration-service';
import { RegistrationService } from '../../../src/services/registration-service';
import { buildEvent, buildRegistration, buildUser } from '../../support/builders';
import {
  InMemoryCompletedUsers,
  InMemoryFailedRegistrations,
  InMemoryIdempotencyRecords,
  InMemoryPendingRegistrations,
  InMemoryUsers,
  RecordingMeasurements,
  RecordingQueue,
} from '../../support/fakes';
import { RecordingLogger } from '../../support/recording-logger';

const KEY = 'key-1';

function setUp() {
  const deps = {
    pending: new InMemoryPendingRegistrations(),
    completed: new InMemoryCompletedUsers(),
    failed: new InMemoryFailedRegistrations(),
    users: new InMemoryUsers(),
    queue: new RecordingQueue(),
    log: new RecordingLogger(),
    measurements: new RecordingMeasurements(),
    deliveryTimeoutMs: 30,
  };
  const records = new InMemoryIdempotencyRecords();
  const registrations = new RegistrationService(deps);
  const { completed, users } = deps;
  const service = new IdempotentRegistrationService({
    records,
    registrations,
    completed,
    users,
    redisTimeoutMs: 300,
  });
  /** Registers, and tells whether the outcome was an earlier one. */
  const register = async (input: unknown, key = KEY) => {
    let isReplay = false;
    const body = Buffer.from(JSON.stringify(input));
    const submission = { key, body, parse: () => parseRegistration(input), requestId: 'req-1' };
    const result = await service
      .register(submission, () => (isReplay = true))
      .catch((error: unknown) => error);
    return { result, isReplay };
  };
  /** Its row is there, its reservation gone. */
  const store = async (registration: Registration) => {
    await users.insertMissing([registration]);
    await deps.pending.clear([registration.email]);
  };
  return { ...deps, records, registrations, register, store };
}

describe('IdempotentRegistrationService.register', () => {
  it('accepts once, and answers the same from then on without doing anything', async () => {
    const { register, queue } = setUp();
    const registration = buildRegistration();

    const first = await register(registration);
    const second = await register(registration);

    expect(first).toEqual({ result: registration, isReplay: false });
    expect(second).toEqual({ result: registration, isReplay: true });
    expect(queue.published).toHaveLength(1);
  });

  it('keeps the first broken rule', async () => {
    const { register } = setUp();
    const input = { ...buildRegistration(), email: 'none' };

    const first = await register(input);
    const second = await register(input);

    const error = new ValidationError('Validation error: email must be a valid email');
    expect(first).toEqual({ result: error, isReplay: false });
    expect(second).toEqual({ result: error, isReplay: true });
  });

  it('keeps that the e-mail is registered, by whom ever', async () => {
    const { register, store } = setUp();
    const registration = buildRegistration();
    await store(registration);

    const first = await register(registration);
    const second = await register(registration);

    expect(first).toEqual({ result: expect.any(AlreadyRegisteredError), isReplay: false });
    expect(second).toEqual({ result: expect.any(AlreadyRegisteredError), isReplay: true });
  });

  it('refuses another body under the same key', async () => {
    const { register, queue } = setUp();
    await register(buildRegistration());

    const { result } = await register(buildRegistration());

    expect(result).toBeInstanceOf(IdempotencyKeyReusedError);
    expect(queue.published).toHaveLength(1);
  });

  it('refuses a second attempt while the first is under way', async () => {
    const { register, records, queue } = setUp();
    queue.isSilent = true;
    const registration = buildRegistration();

    const first = register(registration);
    const second = await register(registration);

    expect(second).toEqual({ result: expect.any(IdempotentRequestInProgressError), isReplay: false });
    expect((await first).result).toBeInstanceOf(UnavailableError);
    expect(queue.published).toHaveLength(1);
    expect(records.entries.get(KEY)?.attemptId).toBeUndefined();
  });

  it.each<[string, (world: ReturnType<typeof setUp>, registration: Registration) => unknown, unknown]>([
    ['Kafka does not confirm', ({ queue }) => (queue.isSilent = true), UnavailableError],
    ['the queue is full', ({ queue }) => (queue.isFull = true), UnavailableError],
    [
      'the e-mail is reserved for other fields',
      ({ pending }, registration) =>
        pending.reserve(buildEvent({ registration: { ...registration, firstName: 'Jane' } })),
      RegistrationInProgressError,
    ],
    [
      'there is a bug',
      ({ pending }) => jest.spyOn(pending, 'reserve').mockRejectedValueOnce(new TypeError('bug')),
      TypeError,
    ],
  ])('keeps nothing when %s: the retry goes on', async (_when, breakIt, expected) => {
    const world = setUp();
    const registration = buildRegistration();
    await breakIt(world, registration);

    const first = await world.register(registration);
    Object.assign(world.queue, { isSilent: false, isFull: false });
    await world.pending.clear([registration.email]);
    const second = await world.register(registration);

    expect(first.result).toBeInstanceOf(expected);
    expect(second).toEqual({ result: registration, isReplay: false });
  });

  describe('when an earlier attempt came to no end', () => {
    /** An attempt whose process died with it. */
    async function die({ register, records, queue }: ReturnType<typeof setUp>, registration: Registration) {
      queue.isSilent = true;
      await register(registration);
      queue.isSilent = false;
      records.endMark(KEY);
    }

    it.each(['the table', 'the cache'])('takes the same fields in %s for its own', async (where) => {
      const world = setUp();
      const registration = buildRegistration();
      await die(world, registration);
      if (where === 'the table') await world.store(registration);
      else {
        world.users.isAway = true;
        await world.completed.put([buildUser(registration)]);
      }

      const retry = await world.register(registration);
      const next = await world.register(registration);

      expect([retry, next]).toEqual(Array(2).fill({ result: registration, isReplay: true }));
    });

    it('says who is stored when the fields are others', async () => {
      const world = setUp();
      const registration = buildRegistration();
      await die(world, registration);
      await world.store({ ...registration, firstName: 'Jane' });

      expect(await world.register(registration)).toEqual({
        result: expect.any(AlreadyRegisteredError),
        isReplay: false,
      });
    });

    it('keeps nothing when nobody can tell who is stored', async () => {
      const world = setUp();
      const registration = buildRegistration();
      await die(world, registration);
      await world.store(registration);
      world.users.isRegistered = () => Promise.resolve(true);
      const findByEmail = jest
        .spyOn(world.users, 'findByEmail')
        .mockRejectedValueOnce(new UnavailableError('away'));

      expect((await world.register(registration)).result).toBeInstanceOf(UnavailableError);
      findByEmail.mockRestore();
      expect(await world.register(registration)).toEqual({ result: registration, isReplay: true });
    });
  });

  describe('with Redis away', () => {
    it('passes through', async () => {
      const { register, records, queue } = setUp();
      records.isAway = true;

      const first = await register(buildRegistration());
      const second = await register(buildRegistration());

      expect([first.isReplay, second.isReplay]).toEqual([false, false]);
      expect(queue.published).toHaveLength(2);
    });

    it('accepts although the outcome cannot be kept', async () => {
      const { register, records } = setUp();
      const registration = buildRegistration();
      records.keep = () => Promise.reject(new UnavailableError('away'));

      expect((await register(registration)).result).toEqual(registration);
    });

    it('releases the mark of a claim that may be made late, and keeps nothing', async () => {
      const { register, records } = setUp();
      const registration = buildRegistration();
      const claim = records.claim.bind(records);
      records.claim = async (attempt) => {
        await claim(attempt);
        throw new UnavailableError('late');
      };

      await register(registration);

      expect(records.entries.get(KEY)).toMatchObject({ attemptId: undefined, outcome: undefined });
    });

    it('waits 300 ms for it in all, however many commands there are', async () => {
      jest.useFakeTimers();
      const { register, records, pending, completed, queue } = setUp();
      const never = () => new Promise<never>(() => undefined);
      Object.assign(records, { claim: never, keep: never, release: never });
      Object.assign(pending, { reserve: never });
      Object.assign(completed, { find: never });
      const registration = buildRegistration();

      const answer = register(registration);
      await jest.advanceTimersByTimeAsync(299);
      const before = queue.published.length;
      await jest.advanceTimersByTimeAsync(10);
      jest.useRealTimers();

      expect(before).toBe(0);
      expect(await answer).toEqual({ result: registration, isReplay: false });
    });
  });
});

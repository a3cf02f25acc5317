import { UnavailableError, UserNotFoundError } from '../../../src/domain/errors';
import { RegistrationStatusService } from '../../../src/services/registration-status-service';
import { buildEvent, buildUser, uniqueEmail } from '../../support/builders';
import { InMemoryUserCache, InMemoryFailureMarks, InMemoryReservations } from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';

function setUp() {
  const stores = {
    completed: new InMemoryUserCache(),
    users: new InMemoryUsers(),
    pending: new InMemoryReservations(),
    failed: new InMemoryFailureMarks(),
  };
  const event = buildEvent();
  const { email } = event.registration;
  const knownTo = {
    completed: () => stores.completed.put([buildUser(event.registration)]),
    users: () => stores.users.insertMissing([event.registration]),
    pending: () => stores.pending.reserve(event),
    failed: () => stores.failed.mark(email, 'unstorable'),
  };
  return { ...stores, knownTo, email, service: new RegistrationStatusService(stores) };
}

type Store = 'completed' | 'users' | 'pending' | 'failed';

describe('RegistrationStatusService', () => {
  it.each<[Store[], object]>([
    [['completed'], { status: 'completed' }],
    [['users'], { status: 'completed' }],
    [['pending'], { status: 'pending' }],
    [['failed'], { status: 'failed', reason: 'unstorable' }],
    [['completed', 'pending', 'failed'], { status: 'completed' }],
    [['users', 'pending', 'failed'], { status: 'completed' }],
    [['pending', 'failed'], { status: 'pending' }],
  ])('known to %j: %j', async (stores, expected) => {
    const { service, email, knownTo } = setUp();
    for (const store of stores) await knownTo[store]();

    expect(await service.find(email)).toEqual(expected);
  });

  it.each<['completed' | 'failed', object]>([
    ['completed', { status: 'completed' }],
    ['failed', { status: 'failed', reason: 'unstorable' }],
  ])(
    'sees the %s one whose reservation went just before, whichever of two servers is slow',
    async (store, expected) => {
      const { service, pending, email, knownTo } = setUp();
      pending.isReserved = async () => {
        await new Promise(setImmediate);
        await knownTo[store]();
        return false;
      };

      expect(await service.find(email)).toEqual(expected);
    },
  );

  it('throws UserNotFoundError for an email that no store knows', async () => {
    await expect(setUp().service.find(uniqueEmail())).rejects.toThrow(UserNotFoundError);
  });

  it.each<Store>(['completed', 'users', 'pending', 'failed'])(
    'is unavailable, not 404, while %s is unavailable',
    async (store) => {
      const all = setUp();
      all[store].isUnavailable = true;

      await expect(all.service.find(all.email)).rejects.toThrow(UnavailableError);
    },
  );

  it.each<[Store, Store, string]>([
    ['completed', 'users', 'completed'],
    ['users', 'completed', 'completed'],
    ['pending', 'users', 'pending'],
    ['pending', 'completed', 'pending'],
  ])('finds what %s knows while %s is unavailable: %s', async (known, unavailable, status) => {
    const all = setUp();
    await all.knownTo[known]();
    all[unavailable].isUnavailable = true;

    expect(await all.service.find(all.email)).toEqual({ status });
  });

  it('says failed only when PostgreSQL, which may hold the winner, has no row', async () => {
    const { service, email, knownTo, users } = setUp();
    await knownTo.failed();
    users.isUnavailable = true;

    await expect(service.find(email)).rejects.toThrow(UnavailableError);
  });
});

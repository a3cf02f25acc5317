import { UnavailableError, UserNotFoundError } from '../../../src/domain/errors';
import { UserQueryService } from '../../../src/services/user-query-service';
import { buildRegistration, buildUser, uniqueEmail } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { InMemoryUserCache, InMemoryUsers } from '../../support/fakes';
import { RecordingLogger } from '../../support/recording-logger';

async function setUp() {
  const completed = new InMemoryUserCache();
  const users = new InMemoryUsers();
  const log = new RecordingLogger();
  const registration = buildRegistration();
  await users.insertMissing([registration]);
  const service = new UserQueryService({ completed, users, log });
  return { completed, users, log, email: registration.email, service };
}

describe('UserQueryService.findByEmail', () => {
  it('answers from the table and fills the cache', async () => {
    const { service, email, completed, users } = await setUp();

    const user = await service.findByEmail(email);

    expect(user).toEqual(users.rows[0]);
    expect(completed.entries.get(email)).toEqual(user);
  });

  it('answers although the cache cannot be filled; logs it unless Redis is unavailable', async () => {
    const { service, email, completed, users, log } = await setUp();
    const put = jest.spyOn(completed, 'put');

    put.mockRejectedValueOnce(new UnavailableError('unavailable'));
    expect(await service.findByEmail(email)).toEqual(users.rows[0]);
    put.mockRejectedValueOnce(new TypeError('bug'));
    expect(await service.findByEmail(email)).toEqual(users.rows[0]);

    await eventually(() =>
      expect(log.lines).toMatchObject([{ level: 'error', error: { name: 'TypeError', message: 'bug' } }]),
    );
  });

  it('answers from the cache while PostgreSQL is unavailable', async () => {
    const { service, users, completed } = await setUp();
    const cached = buildUser();
    await completed.put([cached]);
    users.isUnavailable = true;

    expect(await service.findByEmail(cached.email)).toEqual(cached);
  });

  it('answers from the table while Redis is unavailable', async () => {
    const { service, email, completed, users } = await setUp();
    completed.isUnavailable = true;

    expect(await service.findByEmail(email)).toEqual(users.rows[0]);
  });

  it('is unavailable when PostgreSQL is needed and away', async () => {
    const { service, email, users } = await setUp();
    users.isUnavailable = true;

    await expect(service.findByEmail(email)).rejects.toThrow(UnavailableError);
  });

  it('knows no other user', async () => {
    const { service } = await setUp();

    await expect(service.findByEmail(uniqueEmail())).rejects.toThrow(UserNotFoundError);
  });

  it('passes on what is no outage', async () => {
    const { service, email, completed } = await setUp();
    const bug = new TypeError('bug');
    completed.find = () => Promise.reject(bug);

    await expect(service.findByEmail(email)).rejects.toBe(bug);
  });
});

describe('UserQueryService.list', () => {
  it('asks the table for the page', async () => {
    const { service, users } = await setUp();
    await users.insertMissing([buildRegistration(), buildRegistration()]);

    expect(await service.list({ limit: 1, offset: 1 })).toMatchObject({ users: [users.rows[1]] });
  });
});

import { UnavailableError } from '../../../src/domain/errors';
import { UserQueryService } from '../../../src/services/user-query-service';
import { buildRegistration } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { InMemoryUserCache } from '../../support/fakes/redis';
import { InMemoryUsers } from '../../support/fakes/postgres';
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

  it('passes on what is no outage', async () => {
    const { service, email, completed } = await setUp();
    const bug = new TypeError('bug');
    completed.find = () => Promise.reject(bug);

    await expect(service.findByEmail(email)).rejects.toBe(bug);
  });
});

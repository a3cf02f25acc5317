import { RedisCompletedUsers } from '../../src/redis/redis-completed-users';
import { RedisConnection } from '../../src/redis/redis-connection';
import { RedisFailedRegistrations } from '../../src/redis/redis-failed-registrations';
import { RedisPendingRegistrations } from '../../src/redis/redis-pending-registrations';
import type { CompletedUsers, FailedRegistrations, PendingRegistrations } from '../../src/services/ports';
import { buildEvent, buildRegistration, buildUser, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import {
  InMemoryCompletedUsers,
  InMemoryFailedRegistrations,
  InMemoryPendingRegistrations,
} from '../support/fakes';
import { RecordingLogger } from '../support/recording-logger';
import { isolatedServers, withRedis, type Env } from '../support/test-servers';

let env: Env;
let connection: RedisConnection;

beforeAll(async () => {
  env = await isolatedServers();
  connection = new RedisConnection({
    url: env['REDIS_URL'] ?? '',
    state: { isAway: false },
    log: new RecordingLogger(),
  });
  connection.start();
  await eventually(() => connection.check());
});

afterAll(() => connection.stop());

describe.each<[string, () => PendingRegistrations]>([
  ['InMemoryPendingRegistrations', () => new InMemoryPendingRegistrations()],
  ['RedisPendingRegistrations', () => new RedisPendingRegistrations(connection)],
])('PendingRegistrations: %s', (_name, create) => {
  it('gives a free e-mail to the candidate', async () => {
    const candidate = buildEvent();

    expect(await create().reserve(candidate)).toEqual(candidate);
  });

  it('answers who came first, and keeps it', async () => {
    const pending = create();
    const first = buildEvent();
    const second = buildEvent({ registration: { ...first.registration, firstName: 'Jane' } });
    await pending.reserve(first);

    expect(await pending.reserve(second)).toEqual(first);
    expect(await pending.reserve(buildEvent({ registration: first.registration }))).toEqual(first);
  });

  it('gives racing candidates exactly one winner', async () => {
    const pending = create();
    const registration = buildRegistration();
    const candidates = Array.from({ length: 20 }, () => buildEvent({ registration }));

    const holders = await Promise.all(candidates.map((candidate) => pending.reserve(candidate)));

    expect(new Set(holders.map((holder) => holder?.eventId)).size).toBe(1);
  });

  it('releases only for the event that holds the e-mail', async () => {
    const pending = create();
    const holder = buildEvent();
    const { email } = holder.registration;
    expect(await pending.isReserved(email)).toBe(false);
    await pending.reserve(holder);

    await pending.release(email, 'another event');
    expect(await pending.isReserved(email)).toBe(true);
    expect(await pending.reserve(buildEvent({ registration: holder.registration }))).toEqual(holder);

    await pending.release(email, holder.eventId);
    const next = buildEvent({ registration: holder.registration });
    expect(await pending.reserve(next)).toEqual(next);
  });

  it('clears whoever holds them; unknown e-mails and none at all are fine', async () => {
    const pending = create();
    const holders = [buildEvent(), buildEvent()];
    await Promise.all(holders.map((holder) => pending.reserve(holder)));

    await pending.clear([...holders.map(({ registration }) => registration.email), uniqueEmail()]);
    await pending.clear([]);
    await pending.release(uniqueEmail(), 'any');

    const next = buildEvent({ registration: holders[0]?.registration ?? buildRegistration() });
    expect(await pending.reserve(next)).toEqual(next);
  });
});

describe.each<[string, () => CompletedUsers]>([
  ['InMemoryCompletedUsers', () => new InMemoryCompletedUsers()],
  ['RedisCompletedUsers', () => new RedisCompletedUsers(connection)],
])('CompletedUsers: %s', (_name, create) => {
  it('finds what was put, exactly', async () => {
    const completed = create();
    const users = [
      buildUser(buildRegistration({ firstName: '李 "小" 龍\\' }), 1),
      buildUser(buildRegistration(), 2),
    ];

    await completed.put(users);

    for (const user of users) expect(await completed.find(user.email)).toEqual(user);
  });

  it('finds nothing else', async () => {
    const completed = create();
    await completed.put([]);

    expect(await completed.find(uniqueEmail())).toBeUndefined();
  });
});

describe.each<[string, () => FailedRegistrations & { entries?: unknown }]>([
  ['InMemoryFailedRegistrations', () => new InMemoryFailedRegistrations()],
  ['RedisFailedRegistrations', () => new RedisFailedRegistrations(connection)],
])('FailedRegistrations: %s', (_name, create) => {
  it('tells the mark until it is cleared', async () => {
    const failed = create();
    const email = uniqueEmail();

    expect(await failed.find(email)).toBeUndefined();
    expect(await failed.isMarked(email)).toBe(false);
    await failed.mark(email, 'unstorable');
    expect(await failed.find(email)).toBe('unstorable');
    expect(await failed.isMarked(email)).toBe(true);
    await failed.clear(email);
    await failed.clear(uniqueEmail());
    expect(await failed.find(email)).toBeUndefined();
    expect(await failed.isMarked(email)).toBe(false);
  });
});

describe('keys in Redis', () => {
  const read = (key: string) =>
    withRedis(env, async (redis) => ({ value: await redis.get(key), ttl: await redis.ttl(key) }));

  it('user:pending:{email} holds payload, event id and time for an hour, and is never written again', async () => {
    const pending = new RedisPendingRegistrations(connection);
    const event = buildEvent();
    const key = `user:pending:${event.registration.email}`;
    await pending.reserve(event);
    await withRedis(env, (redis) => redis.expire(key, 100));

    await pending.reserve(buildEvent({ registration: event.registration }));

    const { value, ttl } = await read(key);
    expect(JSON.parse(value ?? '')).toEqual(event);
    expect(ttl).toBeLessThanOrEqual(100);
  });

  it('user:pending:{email} lives 3600 s', async () => {
    const event = buildEvent();
    await new RedisPendingRegistrations(connection).reserve(event);

    const { ttl } = await read(`user:pending:${event.registration.email}`);

    expect(ttl).toBeGreaterThan(3590);
    expect(ttl).toBeLessThanOrEqual(3600);
  });

  it('user:failed:{email} holds the reason for 24 hours', async () => {
    const failed = new RedisFailedRegistrations(connection);
    const email = uniqueEmail();

    await failed.mark(email, 'unstorable');

    const { value, ttl } = await read(`user:failed:${email}`);
    expect(JSON.parse(value ?? '')).toEqual({ reason: 'unstorable', failedAt: expect.stringMatching(/Z$/) });
    expect(ttl).toBeGreaterThan(86_390);
    expect(ttl).toBeLessThanOrEqual(86_400);
    await failed.clear(email);
    expect((await read(`user:failed:${email}`)).value).toBeNull();
  });

  it.each(['text', '{}', 'null', '[]', '{"reason":"other"}'])(
    'a mark that holds %s gives no reason, but is there to be cleared',
    async (entry) => {
      const failed = new RedisFailedRegistrations(connection);
      const email = uniqueEmail();
      await withRedis(env, (redis) => redis.set(`user:failed:${email}`, entry));

      expect(await failed.find(email)).toBeUndefined();
      expect(await failed.isMarked(email)).toBe(true);
    },
  );

  it.each(['text', '{}', 'null', '[]', '{"eventId":"x"}'])(
    'a reservation that holds %s has no known holder',
    async (entry) => {
      const event = buildEvent();
      const { email } = event.registration;
      await withRedis(env, (redis) => redis.set(`user:pending:${email}`, entry));
      const pending = new RedisPendingRegistrations(connection);

      expect(await pending.reserve(event)).toBeUndefined();
      await pending.release(email, event.eventId);
      expect((await read(`user:pending:${email}`)).value).toBe(entry);
    },
  );
});

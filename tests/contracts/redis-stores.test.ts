import { RedisUserCache } from '../../src/redis/user-cache';
import type { RedisConnection } from '../../src/redis/connection';
import { RedisFailureMarks } from '../../src/redis/failure-marks';
import { RedisReservationReader, RedisReservations } from '../../src/redis/reservations';
import type { RegistrationEvent } from '../../src/services/ports/messaging';
import type { FailureMarks, Reservations, UserCache } from '../../src/services/ports/stores';
import { buildEvent, buildRegistration, buildUser, uniqueEmail } from '../support/builders';
import { InMemoryUserCache, InMemoryFailureMarks, InMemoryReservations } from '../support/fakes/redis';
import { useRedisCluster } from '../support/redis-cluster';
import { connectRedis } from '../support/redis-connection';
import { isolatedServers, withRedis, type Env } from '../support/test-servers';

let env: Env;
let connection: RedisConnection;
const cluster = useRedisCluster();
let ofCluster: RedisConnection;

beforeAll(async () => {
  env = await isolatedServers();
  connection = await connectRedis(env);
  ofCluster = await connectRedis(cluster.env);
});

afterAll(() => Promise.all([connection.stop(), ofCluster.stop()]));

describe.each<[string, () => Reservations]>([
  ['InMemoryReservations', () => new InMemoryReservations()],
  ['RedisReservations', () => new RedisReservations(connection)],
  ['RedisReservations on a cluster', () => new RedisReservations(ofCluster)],
])('Reservations: %s', (_name, create) => {
  it('reserves a free email for the candidate', async () => {
    const candidate = buildEvent();

    expect(await create().reserve(candidate)).toEqual(candidate);
  });

  it('returns the first event, and keeps it', async () => {
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

  it('releases only for the event that holds the email', async () => {
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

  it('clears reservations of any event; unknown emails and none at all are fine', async () => {
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

describe.each<[string, () => UserCache]>([
  ['InMemoryUserCache', () => new InMemoryUserCache()],
  ['RedisUserCache', () => new RedisUserCache(connection)],
  ['RedisUserCache on a cluster', () => new RedisUserCache(ofCluster)],
])('UserCache: %s', (_name, create) => {
  it('finds what was put, exactly', async () => {
    const completed = create();
    const users = [
      buildUser(buildRegistration({ firstName: '李 "小" 龍\\' }), 1),
      ...Array.from({ length: 20 }, (_, nth) => buildUser(buildRegistration(), nth + 2)),
    ];

    await completed.put(users);

    for (const user of users) expect(await completed.find(user.email)).toEqual(user);
    const emails = users.map(({ email }) => email);
    await completed.remove(emails);
    expect(await Promise.all(emails.map((email) => completed.find(email)))).toEqual(
      emails.map(() => undefined),
    );
  });

  it('finds nothing else', async () => {
    const completed = create();
    await completed.put([]);

    expect(await completed.find(uniqueEmail())).toBeUndefined();
  });
});

describe.each<[string, () => FailureMarks & { entries?: unknown }]>([
  ['InMemoryFailureMarks', () => new InMemoryFailureMarks()],
  ['RedisFailureMarks', () => new RedisFailureMarks(connection)],
  ['RedisFailureMarks on a cluster', () => new RedisFailureMarks(ofCluster)],
])('FailureMarks: %s', (_name, create) => {
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

describe.each([
  ['RedisReservationReader', () => connection],
  ['RedisReservationReader on a cluster', () => ofCluster],
])('ReservationReader: %s', (_name, connectionOf) => {
  it('visits each reservation, and finds those of some emails', async () => {
    const pending = new RedisReservations(connectionOf());
    const reader = new RedisReservationReader(connectionOf());
    const events = Array.from({ length: 600 }, () => buildEvent());
    await Promise.all(events.map((event) => pending.reserve(event)));
    const expected = events.map((event) => ({ email: event.registration.email, event }));

    const visited = new Map<string, RegistrationEvent | undefined>();
    await reader.scan((entries) => {
      for (const { email, event } of entries) visited.set(email, event);
      return Promise.resolve();
    });

    expect(expected.map(({ email }) => ({ email, event: visited.get(email) }))).toEqual(expected);
    const some = expected.slice(0, 10);
    expect(await reader.find([...some.map(({ email }) => email), uniqueEmail()])).toEqual(some);
    await pending.clear(expected.map(({ email }) => email));
    expect(await reader.find(expected.map(({ email }) => email))).toEqual([]);
  });
});

describe('keys in Redis', () => {
  const read = (key: string) =>
    withRedis(env, async (redis) => ({ value: await redis.get(key), ttl: await redis.ttl(key) }));

  it('user:pending:{email} holds payload, event id and time for an hour, and is never written again', async () => {
    const pending = new RedisReservations(connection);
    const event = buildEvent();
    const key = `user:pending:${event.registration.email}`;
    await pending.reserve(event);
    const { ttl: lifetime } = await read(key);
    await withRedis(env, (redis) => redis.expire(key, 100));

    await pending.reserve(buildEvent({ registration: event.registration }));

    const { value, ttl } = await read(key);
    expect(JSON.parse(value ?? '')).toEqual(event);
    expect(lifetime).toBeGreaterThan(3590);
    expect(lifetime).toBeLessThanOrEqual(3600);
    expect(ttl).toBeLessThanOrEqual(100);
  });

  it('user:failed:{email} holds the reason for 24 hours', async () => {
    const failed = new RedisFailureMarks(connection);
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
      const failed = new RedisFailureMarks(connection);
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
      const pending = new RedisReservations(connection);

      expect(await pending.reserve(event)).toBeUndefined();
      await pending.release(email, event.eventId);
      expect((await read(`user:pending:${email}`)).value).toBe(entry);
    },
  );
});

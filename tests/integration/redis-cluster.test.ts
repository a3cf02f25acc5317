import { EventEmitter, once } from 'node:events';
import { UnavailableError } from '../../src/domain/errors';
import { hintFor } from '../../src/observability/hint';
import type { RedisConnection } from '../../src/redis/connection';
import { RedisFailureMarks } from '../../src/redis/failure-marks';
import { completedKey, failedKey, pendingKey } from '../../src/redis/keys-and-lifetimes';
import { createRedisRateLimitStore } from '../../src/redis/rate-limit-store';
import { RedisReservationReader, RedisReservations } from '../../src/redis/reservations';
import { RedisUserCache } from '../../src/redis/user-cache';
import { buildEvent, buildRegistration, buildUser, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { ownerOf, useClusterConnections, useRedisCluster } from '../support/redis-cluster';
import { sharedServers, UNREACHABLE } from '../support/test-servers';

const cluster = useRedisCluster();
const { admins } = cluster;
const { start, connect } = useClusterConnections(cluster);

/** What the checks of a connection of its own fail with, until there is a hint, and what was logged. */
async function checked(url: string, isCluster = true) {
  const { connection, log } = start(url, isCluster);
  return eventually(async () => {
    const problem: unknown = await connection.check().catch((error: unknown) => error);
    const hint = hintFor('redis', problem);
    if (problem !== undefined && hint === undefined) throw new Error('no hint', { cause: problem });
    return { connection, hint, log };
  }, 3000);
}

describe('REDIS_CLUSTER', () => {
  it('has to be true for a node of a cluster', async () => {
    const [url = ''] = cluster.urls;

    expect((await checked(url, false)).hint).toMatch(/^set REDIS_CLUSTER=true/);
  });

  it('has to be false for a Redis that is no cluster', async () => {
    const url = sharedServers()['REDIS_URL'] ?? '';

    expect((await checked(url)).hint).toMatch(/^set REDIS_CLUSTER=false/);
  });

  it('works by one node of a list when the others are unknown, dead, or no nodes', async () => {
    const others = ['redis://unknown.invalid:6379', UNREACHABLE.REDIS_URL, sharedServers()['REDIS_URL']];

    const { connection } = start([...others, cluster.urls[1]].join());
    await eventually(() => connection.check());

    const keys = Array.from({ length: 30 }, (_, nth) => `user:of-a-list:${nth}`);
    const set = (key: string) => connection.run(1000, (redis) => redis.set(key, '', 'EX', 60));
    expect(await Promise.all(keys.map(set))).toEqual(keys.map(() => 'OK'));
  });

  it('rejects with a hint where a user is unknown, and sends a known one to nodes that only others name', async () => {
    for (const admin of admins)
      await admin.call('ACL', 'SETUSER', 'service', 'reset', 'on', '>pass,word', '~*', '+@all');
    const withLogin = (login: string): string => cluster.urls[0]?.replace('://', `://${login}@`) ?? '';

    expect((await checked(withLogin('service:wrong'))).hint).toMatch(/user and password/);
    for (const admin of admins) await admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>another');
    const { hint } = await checked(withLogin('service:pass%2Cword'));
    for (const admin of admins) await admin.call('ACL', 'SETUSER', 'default', 'nopass');

    expect(hint).toBeUndefined();
  });
});

describe('RedisConnection.check on a cluster', () => {
  it.each([0, 1, 2])('fails when primary %i alone is full', async (nth) => {
    const connection = await connect();

    await admins[nth]?.config('SET', 'maxmemory', '1');
    const problem = await connection.check().catch((error: unknown) => error);
    await admins[nth]?.config('SET', 'maxmemory', '0');

    expect(hintFor('redis', problem)).toMatch(/maxmemory/);
    await connection.check();
  });

  it.each([0, 1, 2])('warns when primary %i alone may evict keys', async (nth) => {
    await admins[nth]?.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { connection, log } = await checked(cluster.urls[0] ?? '');
    await admins[nth]?.config('SET', 'maxmemory-policy', 'noeviction');

    expect(connection.mayEvict).toBe(true);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

describe('a call that has to follow another one', () => {
  // A user, a mark and a reservation at once.
  const entryOf = (email: string): string =>
    JSON.stringify({ ...buildUser(buildRegistration({ email })), reason: 'unstorable', eventId: 'e' });

  it.each([
    {
      name: 'UserCache.find',
      keyOf: completedKey,
      follow: async (connection: RedisConnection, email: string, after: Promise<unknown>) =>
        (await new RedisUserCache(connection).find(email, after)) !== undefined,
    },
    {
      name: 'FailureMarks.find',
      keyOf: failedKey,
      follow: async (connection: RedisConnection, email: string, after: Promise<unknown>) =>
        (await new RedisFailureMarks(connection).find(email, after)) !== undefined,
    },
    {
      name: 'Reservations.release',
      keyOf: pendingKey,
      follow: async (connection: RedisConnection, email: string, after: Promise<unknown>) => {
        await new RedisReservations(connection).release(email, 'e', after);
        return !(await new RedisReservations(connection).isReserved(email));
      },
    },
  ])('is executed after it, also when that is another primary’s: $name', async ({ keyOf, follow }) => {
    const connection = await connect();
    const email = uniqueEmail();
    const other = new EventEmitter();

    const result = follow(connection, email, once(other, 'executed'));
    // What was sent too early is executed before this.
    await connection.run(1000, (redis) => redis.exists(keyOf(email)));
    await admins[ownerOf(keyOf(email))]?.set(keyOf(email), entryOf(email), 'EX', 60);
    other.emit('executed');

    expect(await result).toBe(true);
  });
});

describe('the rate limit on a cluster', () => {
  it('is counted on every primary, also after it has forgotten its scripts', async () => {
    const connection = await connect();
    const store = createRedisRateLimitStore(connection);
    await store.init({ windowMs: 60_000 } as Parameters<typeof store.init>[0]);
    const clients = Array.from({ length: 12 }, (_, nth) => `198.51.100.${nth}`);
    const count = () => Promise.all(clients.map(async (client) => (await store.increment(client)).totalHits));

    expect(await count()).toEqual(clients.map(() => 1));
    for (const admin of admins) await admin.script('FLUSH');

    expect(await count()).toEqual(clients.map(() => 2));
    expect(new Set(clients.map((client) => ownerOf(`rate-limit:${client}`))).size).toBe(3);
  });
});

describe('a cluster that has lost slots', () => {
  it('is unavailable with a hint, and counts as newly connected when they are back', async () => {
    const connection = await connect();
    const pending = new RedisReservations(connection);
    const [lost] = cluster.cluster.primaries;
    // Else reading what a scan has found would fail by itself.
    for (const admin of admins) await admin.flushall();

    await lost?.kill();
    const hint = await eventually(async () => {
      const problem = await connection.check().catch((error: unknown) => error);
      expect(hintFor('redis', problem)).toMatch(/slots/);
      return hintFor('redis', problem);
    });
    const events = Array.from({ length: 30 }, () => buildEvent());
    const reserved = await Promise.allSettled(events.map((event) => pending.reserve(event)));
    const scan = new RedisReservationReader(connection).scan(() => Promise.resolve());
    const scanned: unknown = await scan.catch((error: unknown) => error);
    const ofNewcomer = await checked(cluster.urls[1] ?? '');
    const connectedBefore = connection.connectedMs;
    await lost?.restart();
    await eventually(() => connection.check());

    const reasons = reserved.map((each): unknown => (each.status === 'rejected' ? each.reason : undefined));
    expect(reasons.filter((reason) => !(reason instanceof UnavailableError))).toEqual([]);
    expect(scanned).toBeInstanceOf(UnavailableError);
    expect([hint, ofNewcomer.hint]).toEqual([expect.stringMatching(/slots/), hint]);
    expect(connection.connectedMs).toBeLessThan(connectedBefore);
    expect(await pending.reserve(events[0] ?? buildEvent())).toEqual(events[0]);
  });
});

describe('a cluster that has forgotten its slots', () => {
  const received = async (): Promise<number> => {
    const infos = await Promise.all(admins.map((admin) => admin.info('stats')));
    const counts = infos.map((info) => Number(/connections_received:(\d+)/.exec(info)?.[1]));
    return counts.reduce((sum, count) => sum + count);
  };

  it('is unavailable with a hint to a connection that has worked, and is asked less and less often', async () => {
    const connection = await connect();

    for (const admin of admins) await admin.flushall();
    for (const admin of admins) await admin.call('CLUSTER', 'RESET', 'HARD');
    for (const admin of admins) await admin.call('CLIENT', 'KILL', 'TYPE', 'normal');
    const [before, startedAt] = [await received(), performance.now()];
    await eventually(async () => expect(await received()).toBeGreaterThan(before + 20));
    const elapsedMs = performance.now() - startedAt;
    const problem = await connection.check().catch((error: unknown) => error);

    expect(hintFor('redis', problem)).toMatch(/slots/);
    expect((await checked(cluster.urls[2] ?? '')).hint).toMatch(/slots/);
    // Every 100 ms it would be 500.
    expect(elapsedMs).toBeGreaterThan(1500);
  });
});

import { UnavailableError } from '../../src/domain/errors';
import { pendingKey } from '../../src/redis/keys-and-lifetimes';
import { RedisReservations } from '../../src/redis/reservations';
import { buildEvent } from '../support/builders';
import { eventually } from '../support/eventually';
import { ownerOf, slotOf, useClusterConnections, useRedisCluster } from '../support/redis-cluster';

const cluster = useRedisCluster();
const { admins } = cluster;
const { start, connect } = useClusterConnections(cluster);

/** An event whose reservation this primary has. */
function buildEventOf(primary: number): ReturnType<typeof buildEvent> {
  const event = buildEvent();
  return ownerOf(pendingKey(event.registration.email)) === primary ? event : buildEventOf(primary);
}

/** Begins to move the key's slot, from one primary to the next. */
async function startMove(key: string) {
  const slot = String(slotOf(key));
  const from = ownerOf(key);
  const to = (from + 1) % 3;
  const [fromId, toId] = [
    String(await admins[from]?.call('CLUSTER', 'MYID')),
    String(await admins[to]?.call('CLUSTER', 'MYID')),
  ];
  await admins[to]?.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await admins[from]?.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  const end = async (...how: string[]): Promise<void> => {
    for (const admin of [admins[to], admins[from]]) await admin?.call('CLUSTER', 'SETSLOT', slot, ...how);
  };
  const isOnItsWay = async (): Promise<boolean> => {
    const problem = await admins[from]?.exists(key).catch((error: unknown) => error);
    return /ASK/.test(String(problem));
  };
  return { to, toId, end, isOnItsWay };
}

describe('a slot on its way to another primary', () => {
  it('is found there during and after its move (ASK, MOVED), without an unavailable moment', async () => {
    const connection = await connect();
    const pending = new RedisReservations(connection);
    const holder = buildEvent();
    const { email } = holder.registration;
    const other = (): Promise<unknown> => pending.reserve(buildEvent({ registration: holder.registration }));

    const move = await startMove(pendingKey(email));
    expect(await pending.reserve(holder)).toEqual(holder);
    const isOnItsWay = await move.isOnItsWay();
    expect(await other()).toEqual(holder);
    await move.end('NODE', move.toId);

    expect(isOnItsWay).toBe(true);
    expect(await other()).toEqual(holder);
    await pending.release(email, holder.eventId);
    expect(await pending.isReserved(email)).toBe(false);
  });

  it('costs no more than the command when that one dies before it answers', async () => {
    const connection = await connect();
    const pending = new RedisReservations(connection);
    const event = buildEventOf(1);
    const move = await startMove(pendingKey(event.registration.email));
    const other = cluster.cluster.primaries[move.to];

    await other?.freeze();
    const isOnItsWay = await move.isOnItsWay();
    const problem: unknown = await pending.reserve(event).catch((error: unknown) => error);
    await other?.kill();
    await other?.restart();
    await eventually(() => move.end('STABLE'));
    // Until then a rejection that nobody handles fails this test.
    await eventually(() => connection.check());

    expect(isOnItsWay).toBe(true);
    expect(problem).toBeInstanceOf(UnavailableError);
  });
});

describe('a slot that has moved', () => {
  it('leads to no new connection when that becomes known only after the end', async () => {
    const connection = await connect();
    const key = pendingKey(buildEventOf(1).registration.email);
    const clients = async (): Promise<number> =>
      String(await admins[2]?.call('CLIENT', 'LIST')).split('\n').length;
    const before = await clients();
    const move = await startMove(key);
    const [, from] = cluster.cluster.primaries;
    await move.end('NODE', move.toId);

    await from?.freeze();
    const command = connection.run(20_000, (redis) => redis.exists(key)).catch((error: unknown) => error);
    await connection.stop();
    await from?.thaw();
    await command;

    await eventually(async () => expect(await clients()).toBeLessThan(before));
  });
});

describe('a primary that is slow to accept a connection', () => {
  it('is sent nothing later that was given up meanwhile', async () => {
    const [late] = cluster.cluster.primaries;
    const [event, another] = [buildEventOf(0), buildEventOf(1)];

    await late?.freeze();
    const { connection } = start(cluster.urls[1] ?? '');
    const pending = new RedisReservations(connection);
    await eventually(() => pending.isReserved(another.registration.email));
    const problem: unknown = await pending.reserve(event).catch((error: unknown) => error);
    await late?.thaw();
    await eventually(() => connection.check());

    expect(problem).toBeInstanceOf(UnavailableError);
    expect(await pending.isReserved(event.registration.email)).toBe(false);
  });
});

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { TcpProxy } from '../../dev/faults/tcp-proxy';
import { startLocalStack } from '../../dev/local-stack/local-stack';
import { UnavailableError } from '../../src/domain/errors';
import { hintFor } from '../../src/observability/hint';
import { RedisUserCache } from '../../src/redis/user-cache';
import { RedisConnection } from '../../src/redis/connection';
import { RedisFailureMarks } from '../../src/redis/failure-marks';
import { RedisReservations } from '../../src/redis/reservations';
import { buildEvent, buildUser, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { RecordingLogger } from '../support/recording-logger';
import { sharedServers, withRedis } from '../support/test-servers';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function createConnection(url: string, isUnavailable = false): RedisConnection {
  const connection = new RedisConnection({ url, state: { isUnavailable }, log: new RecordingLogger() });
  connection.start();
  ends.push(() => connection.stop());
  return connection;
}

describe('RedisConnection', () => {
  it('lets no store wait, nor pass a failure over, while the background check says that Redis is unavailable', async () => {
    const connection = createConnection(sharedServers()['REDIS_URL'] ?? '', true);
    await eventually(() => connection.check());
    const event = buildEvent();
    const { email } = event.registration;
    const pending = new RedisReservations(connection);
    const completed = new RedisUserCache(connection);
    const failed = new RedisFailureMarks(connection);

    const calls = [
      pending.reserve(event),
      pending.isReserved(email),
      pending.release(email, event.eventId),
      pending.clear([email]),
      completed.find(email),
      completed.put([buildUser(event.registration)]),
      failed.mark(email, 'unstorable'),
      failed.find(email),
      failed.isMarked(email),
      failed.clear(email),
    ];

    await Promise.all(calls.map((call) => expect(call).rejects.toThrow(UnavailableError)));
  });

  it('never repeats on a later connection what it has given up', async () => {
    const { hostname: host, port } = new URL(sharedServers()['REDIS_URL'] ?? '');
    const proxy = await TcpProxy.start({ host, port: Number(port) });
    ends.push(() => proxy.refuse());
    const connection = createConnection(`redis://${proxy.host}:${proxy.port}`);
    await eventually(() => connection.check());
    const [lost, unsent] = [uniqueEmail(), uniqueEmail()];
    const set = (key: string) => connection.run(100, (redis) => redis.set(key, '', 'EX', 60));

    proxy.intercept((_packet, direction) => direction === 'response');
    await expect(set(lost)).rejects.toThrow(UnavailableError);
    await proxy.refuse();
    await expect(set(unsent)).rejects.toThrow(UnavailableError);
    await proxy.heal();

    await eventually(() => connection.check());
    expect(await connection.run(1000, (redis) => redis.exists(lost, unsent))).toBe(0);
  });

  it('works in no other database than the one that is named: one that is not there is no healthy one', async () => {
    const own = await startLocalStack({ services: ['redis'], report: () => undefined });
    ends.push(() => own.kill());

    const problem = await createConnection(`${own.env['REDIS_URL'] ?? ''}/99`)
      .check()
      .catch((error: unknown) => error);

    expect(hintFor('redis', problem)).toContain('database');
    expect(await withRedis(own.env, (redis) => redis.dbsize())).toBe(0);
  });

  it('leaves a primary that has become a replica for the one that its address names now', async () => {
    const replica = await startLocalStack({ services: ['redis'], report: () => undefined });
    ends.push(() => replica.kill());
    const sockets: Socket[] = [];
    const address = createServer((socket) => {
      const url = sockets.length === 0 ? replica.env['REDIS_URL'] : sharedServers()['REDIS_URL'];
      const { hostname, port } = new URL(url ?? '');
      const upstream = connect(Number(port), hostname);
      for (const each of [socket, upstream]) sockets.push(each.on('error', () => undefined).unref());
      socket.pipe(upstream).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(address, 'listening');
    ends.push(() => address.close());
    const connection = createConnection(`redis://127.0.0.1:${(address.address() as AddressInfo).port}`);
    await eventually(() => connection.check());

    await withRedis(replica.env, (redis) => redis.replicaof('127.0.0.1', 1));

    await expect(connection.run(5000, (redis) => redis.set('user:check', ''))).rejects.toThrow(
      UnavailableError,
    );
    await eventually(() => connection.check());
  });
});

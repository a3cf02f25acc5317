import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { startLocalStack } from '../../dev/local-stack/local-stack';
import { UnavailableError } from '../../src/domain/errors';
import { RedisConnection } from '../../src/redis/redis-connection';
import { eventually } from '../support/eventually';
import { RecordingLogger } from '../support/recording-logger';
import { sharedServers, withRedis } from '../support/test-servers';

function createConnection(url: string, isAway = false): RedisConnection {
  const connection = new RedisConnection({ url, state: { isAway }, log: new RecordingLogger() });
  connection.start();
  return connection;
}

describe('RedisConnection', () => {
  it('asks nothing, while the background check says that Redis is away', async () => {
    const connection = createConnection(sharedServers()['REDIS_URL'] ?? '', true);
    await eventually(() => connection.check());

    await expect(connection.run(5000, (redis) => redis.ping())).rejects.toThrow(UnavailableError);

    await connection.stop();
  });

  it('leaves a primary that has become a replica for the one that its address names now', async () => {
    const replica = await startLocalStack({ services: ['redis'], report: () => undefined });
    const sockets: Socket[] = [];
    const address = createServer((socket) => {
      const url = sockets.length === 0 ? replica.env['REDIS_URL'] : sharedServers()['REDIS_URL'];
      const { hostname, port } = new URL(url ?? '');
      const upstream = connect(Number(port), hostname);
      for (const each of [socket, upstream]) sockets.push(each.on('error', () => undefined));
      socket.pipe(upstream).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(address, 'listening');
    const connection = createConnection(`redis://127.0.0.1:${(address.address() as AddressInfo).port}`);
    await eventually(() => connection.check());

    await withRedis(replica.env, (redis) => redis.replicaof('127.0.0.1', 1));

    await expect(connection.run(5000, (redis) => redis.set('user:check', ''))).rejects.toThrow(
      UnavailableError,
    );
    await eventually(() => connection.check());
    await connection.stop();
    sockets.forEach((socket) => socket.destroy());
    address.close();
    await replica.kill();
  });
});

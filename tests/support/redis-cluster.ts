import { Command, Redis } from 'ioredis';
import { createThrowAwayFolder, type ThrowAwayFolder } from '../../dev/local-stack/folders';
import { startRedisCluster, type RedisCluster } from '../../dev/local-stack/redis-cluster';
import { RedisConnection } from '../../src/redis/connection';
import { RecordingLogger } from './recording-logger';
import { eventually } from './eventually';

const SLOT_COUNT = 16_384;
const PRIMARY_COUNT = 3;

export const slotOf = (key: string): number => new Command('get', [key]).getSlot();
/** The number of the primary that has the key when the cluster starts. */
export const ownerOf = (key: string): number =>
  Math.floor(slotOf(key) / Math.ceil(SLOT_COUNT / PRIMARY_COUNT));

/** Starts a Redis Cluster that belongs to this test file alone. */
export function useRedisCluster(options: { readonly hasReplicas?: boolean } = {}) {
  let folder: ThrowAwayFolder;
  let cluster: RedisCluster;
  const admins: Redis[] = [];

  beforeAll(async () => {
    folder = await createThrowAwayFolder();
    cluster = await startRedisCluster({
      ...{ dataDir: folder.path, durable: true, report: () => undefined },
      ...options,
    });
    admins.push(...cluster.primaries.map(({ host, port }) => new Redis({ host, port })));
  });

  afterAll(async () => {
    // After the end of its connection ioredis would wait for that for another two seconds.
    for (const admin of admins) admin.disconnect();
    await cluster.kill();
    await folder.remove();
  });

  return {
    get cluster(): RedisCluster {
      return cluster;
    },
    get env() {
      return cluster.env;
    },
    /** A client for each primary by itself. */
    admins,
    /** The URL of each primary. */
    get urls(): string[] {
      return (cluster.env['REDIS_URL'] ?? '').split(',');
    },
  };
}

/** The service's own connections to a cluster, each stopped after its test. */
export function useClusterConnections(cluster: ReturnType<typeof useRedisCluster>) {
  const connections: RedisConnection[] = [];

  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.stop()));
  });

  /** A connection on its way, and what it logs. */
  function start(url = cluster.env['REDIS_URL'] ?? '', isCluster = true) {
    const log = new RecordingLogger();
    const connection = new RedisConnection({ url, isCluster, state: { isUnavailable: false }, log });
    connection.start();
    connections.push(connection);
    return { connection, log };
  }

  /** One that works. */
  async function connect(): Promise<RedisConnection> {
    const { connection } = start();
    await eventually(() => connection.check());
    return connection;
  }

  return { start, connect };
}

import { createThrowAwayFolder, type ThrowAwayFolder } from '../../dev/local-stack/folders';
import { startRedisCluster, type RedisCluster } from '../../dev/local-stack/redis-cluster';

/** Starts a Redis Cluster that belongs to this test file alone. */
export function useRedisCluster(options: { readonly hasReplicas?: boolean } = {}) {
  let folder: ThrowAwayFolder;
  let cluster: RedisCluster;

  beforeAll(async () => {
    folder = await createThrowAwayFolder();
    cluster = await startRedisCluster({
      ...{ dataDir: folder.path, durable: true, report: () => undefined },
      ...options,
    });
  });

  afterAll(async () => {
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
    /** The URL of each primary. */
    get urls(): string[] {
      return (cluster.env['REDIS_URL'] ?? '').split(',');
    },
  };
}

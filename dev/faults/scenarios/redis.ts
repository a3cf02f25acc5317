import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { LocalServer } from '../../local-stack/local-server';
import type { Scenario } from '../scenario';

/** A Redis that lost data. */
export const redisScenarios: readonly Scenario[] = [
  {
    name: 'redis-flushed',
    title: 'FLUSHALL, three times in 6 s',
    tolerates: ['conflicts'],
    isRepeatable: true,
    async run({ bed }) {
      const redis = new Redis(bed.env['REDIS_URL'] ?? '');
      for (let round = 0; round < 3; round += 1) {
        await redis.flushall();
        await bed.hold(2);
      }
      redis.disconnect();
    },
  },
  {
    name: 'redis-stale',
    title: 'Redis is killed and comes back with the data it had 8 s ago',
    tolerates: ['conflicts'],
    isRepeatable: true,
    async run({ bed }) {
      const current = join(bed.dataDir, 'redis');
      const stale = `${current}-stale`;
      await cp(current, stale, { recursive: true });
      await bed.hold(8);
      await bed.redis.process.kill();
      await rm(current, { recursive: true });
      await cp(stale, current, { recursive: true });
      await rm(stale, { recursive: true });
      await bed.redis.process.restart();
    },
  },
  {
    name: 'redis-cluster-failover',
    title: 'a primary of a Redis Cluster is killed, its replica takes over, and it comes back after 10 s',
    tolerates: ['conflicts'],
    isOnRedisCluster: true,
    async run({ bed }) {
      const [primary] = bed.redisCluster?.primaries ?? [];
      const [replica] = bed.redisCluster?.replicas ?? [];
      if (!primary || !replica) throw new Error('the scenario needs a Redis Cluster with replicas');
      await primary.kill();
      await bed.hold(10);
      if (!(await isPrimary(replica))) throw new Error('the replica has not taken over');
      await primary.restart();
    },
  },
];

async function isPrimary({ host, port }: LocalServer): Promise<boolean> {
  const redis = new Redis({ host, port });
  try {
    const [role] = await redis.role();
    return role === 'master';
  } finally {
    redis.disconnect();
  }
}

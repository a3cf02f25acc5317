import { TcpProxy } from '../../dev/faults/tcp-proxy';
import { startLocalStack } from '../../dev/local-stack/local-stack';
import { eventually } from './eventually';
import { withRedis, type Env } from './test-servers';

/** A Redis, or a Redis Cluster, that each packet takes `delayMs` to, and from. */
export async function startFarRedis(delayMs: number): Promise<{ env: Env; stop(): Promise<void> }> {
  const stack = await startLocalStack({ services: ['redis'], report: () => undefined });
  const targets = (stack.env['REDIS_URL'] ?? '').split(',').map((url) => Number(new URL(url).port));
  const proxies = new Map<number, TcpProxy>();
  for (const port of targets) proxies.set(port, await TcpProxy.start({ host: '127.0.0.1', port }));
  if (stack.redisCluster) await announce(stack.env, proxies);
  for (const proxy of proxies.values()) proxy.slow(delayMs);
  const urls = [...proxies.values()].map(({ host, port }) => `redis://${host}:${port}`);
  return {
    env: { ...stack.env, REDIS_URL: urls.join() },
    async stop() {
      await Promise.all([...proxies.values()].map((proxy) => proxy.refuse()));
      await stack.kill();
    },
  };
}

/** Makes the nodes of a cluster name the proxies to each other, and to their clients, in their own place. */
async function announce(env: Env, proxies: ReadonlyMap<number, TcpProxy>): Promise<void> {
  await withRedis(env, async (_redis, primaries) => {
    for (const node of primaries) {
      const proxy = proxies.get(node.options.port ?? 0);
      await node.config('SET', 'cluster-announce-port', String(proxy?.port));
    }
    const ports = [...proxies.values()].map(({ port }) => port).sort();
    await eventually(async () => {
      for (const node of primaries) {
        const slots = await node.cluster('SLOTS');
        expect(slots.map(([, , primary]) => primary?.[1]).sort()).toEqual(ports);
      }
    });
  });
}

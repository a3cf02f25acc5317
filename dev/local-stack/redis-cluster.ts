import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { allStarted } from './all-started';
import { LocalServer } from './local-server';
import { LocalStackError } from './local-stack-error';
import { onFreePorts } from './ports';
import { prepareRedis, type RedisOptions } from './redis';

const primaryCount = 3;
const slotCount = 16_384;
const formTimeoutMs = 20_000;
const pollIntervalMs = 50;
// A primary that is silent for a second is replaced, by a replica whatever its age.
const settings = '--cluster-enabled yes --cluster-node-timeout 1000 --cluster-replica-validity-factor 0';
// Below all ports that are chosen.
const tlsPortOffset = -14_000;
const quickReplicas = '--repl-diskless-sync-delay 0';

/** What a local Redis Cluster is started with. */
export interface RedisClusterOptions extends RedisOptions {
  /** Whether each primary has a replica, which takes over some three seconds after its end. */
  readonly hasReplicas?: boolean;
  /** The service, and the nodes among themselves, use TLS with this certificate of `localhost`. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string; readonly caFile: string };
}

/** Redis nodes that run as one cluster. */
export interface RedisCluster {
  /** Primaries when the cluster starts: each has a third of the slots, in their order. */
  readonly primaries: readonly LocalServer[];
  /** Of the primaries, in their order; empty without replicas. */
  readonly replicas: readonly LocalServer[];
  /** The environment variables by which the service finds it: all primaries. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends all nodes at once; the data folder stays. */
  kill(): Promise<void>;
  /** A hang of all nodes. */
  freeze(): Promise<void>;
  /** Ends freeze(). */
  thaw(): Promise<void>;
  /** Starts all nodes again on their data; resolves when all slots are served. */
  restart(): Promise<void>;
}

/** Resolves when all slots are served and all replicas are in sync; if a node fails, kills all and rejects with its error. */
export async function startRedisCluster(options: RedisClusterOptions): Promise<RedisCluster> {
  const count = options.hasReplicas ? 2 * primaryCount : primaryCount;
  const nodes = await onFreePorts(count, (ports) => startNodes(ports, options));
  const onAll = async (act: (node: LocalServer) => Promise<void>): Promise<void> => {
    await Promise.all(nodes.map(act));
  };
  const kill = (): Promise<void> => onAll((node) => node.kill());
  try {
    await withClients(nodes, (clients) => form(nodes, clients));
  } catch (error) {
    await kill();
    throw error;
  }
  const primaries = nodes.slice(0, primaryCount);
  const urls = primaries.map(({ host, port }) =>
    options.tls ? `rediss://localhost:${port + tlsPortOffset}` : `redis://${host}:${port}`,
  );
  return {
    primaries,
    replicas: nodes.slice(primaryCount),
    env: { REDIS_CLUSTER: 'true', REDIS_URL: urls.join() },
    kill,
    freeze: () => onAll((node) => node.freeze()),
    thaw: () => onAll((node) => node.thaw()),
    async restart() {
      await onAll((node) => node.restart());
      await withClients(nodes, untilServing);
    },
  };
}

function startNodes(ports: readonly number[], options: RedisClusterOptions): Promise<readonly LocalServer[]> {
  const starts = ports.map(async (port, index) => {
    // By default the nodes talk to each other on a port that may be above 65,535.
    const bus = ['--cluster-port', String(port + 1)];
    const flags = [...`${settings} ${quickReplicas}`.split(' '), ...bus, ...tlsFlags(port, options.tls)];
    return LocalServer.startOn(port, await prepareRedis(`redis-${index + 1}`, options, flags));
  });
  return allStarted(starts);
}

function tlsFlags(port: number, tls: RedisClusterOptions['tls']): string[] {
  if (!tls) return [];
  return [
    ...['--tls-port', String(port + tlsPortOffset), '--tls-cluster', 'yes', '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', tls.certificateFile, '--tls-key-file', tls.keyFile],
    ...['--tls-ca-cert-file', tls.caFile],
    ...['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'],
  ];
}

async function withClients(
  nodes: readonly LocalServer[],
  use: (clients: readonly Redis[]) => Promise<void>,
): Promise<void> {
  const clients = nodes.map(({ host, port }) => new Redis({ host, port, retryStrategy: () => null }));
  try {
    await use(clients);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function form(nodes: readonly LocalServer[], clients: readonly Redis[]): Promise<void> {
  const primaries = clients.slice(0, primaryCount);
  const replicas = clients.slice(primaryCount);
  const share = Math.ceil(slotCount / primaryCount);
  for (const [index, primary] of primaries.entries()) {
    const slots = [index * share, Math.min((index + 1) * share, slotCount) - 1];
    await primary.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    await primary.call('CLUSTER', 'ADDSLOTSRANGE', ...slots);
  }
  for (const { host, port } of nodes.slice(1))
    await clients[0]?.call('CLUSTER', 'MEET', host, port, port + 1);
  await untilAll(clients, 'CLUSTER INFO', `cluster_known_nodes:${nodes.length}`);
  for (const [index, replica] of replicas.entries())
    await replica.call('CLUSTER', 'REPLICATE', String(await primaries[index]?.call('CLUSTER', 'MYID')));
  await untilServing(clients);
  await untilAll(clients, 'CLUSTER NODES', ...Array<string>(replicas.length).fill('slave'));
  await untilAll(replicas, 'INFO replication', 'master_link_status:up');
}

const untilServing = (clients: readonly Redis[]): Promise<void> =>
  untilAll(clients, 'CLUSTER INFO', 'cluster_state:ok');

/** Asks each until its response holds all these words, the same one as often as it is among them. */
async function untilAll(clients: readonly Redis[], command: string, ...words: string[]): Promise<void> {
  const deadline = Date.now() + formTimeoutMs;
  const [name = '', ...args] = command.split(' ');
  const pattern = new RegExp(words.join('.*'), 's');
  for (const client of clients) {
    while (!pattern.test(String(await client.call(name, ...args)))) {
      if (Date.now() > deadline) throw new LocalStackError(`Redis did not form a cluster: ${command}`);
      await sleep(pollIntervalMs);
    }
  }
}

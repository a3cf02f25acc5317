import { Cluster, Command, Redis, type RedisCommander } from 'ioredis';

const CONNECT_TIMEOUT_MS = 2000;
const MAX_RECONNECT_DELAY_MS = 2000;
// Where each primary has a fair share of the slots, a few suffice.
const MAX_TAGS = 5000;

/** A server, or all of a cluster. */
export type RedisClient = Redis | Cluster;

/** Redis as the stores use it: each command names one key. */
export type RedisCommands = RedisCommander<{ type: 'default'; mapping: 'resp2' }>;

/** A server that has keys of its own. */
export interface Primary {
  /** Undefined where the connection was lost. */
  readonly node: Redis | undefined;
  /** Makes any key one of this server's when it is added to it. */
  readonly tag: string;
}

const OPTIONS = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  // A reservation that was given up must not be made again by a later connection.
  autoResendUnfulfilledCommands: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  keepAlive: 10_000,
};

const retryDelayMs = (attempt: number): number =>
  Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RECONNECT_DELAY_MS);

/** A client, not connected yet, of the server at this URL, or of the cluster of these nodes: see REDIS_CLUSTER. */
export function createClient(url: string, isCluster = false): RedisClient {
  return isCluster ? createClusterClient(url.split(',')) : createServerClient(url);
}

function createServerClient(url: string): Redis {
  return new Redis(url, {
    ...OPTIONS,
    enableOfflineQueue: false,
    retryStrategy: retryDelayMs,
    // A replica after a failover rejects writes until the address is looked up again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

function createClusterClient(nodes: string[]): Cluster {
  const { protocol, username, password } = new URL(nodes[0] ?? '');
  return new Cluster(nodes, {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    // Only MOVED and ASK are followed: what else fails must not be done later, when its request has given it up.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Else ioredis looks up every name first, gives up when one is unknown, and holds certificates against the addresses.
    dnsLookup: (name, callback) => callback(null, name),
    // For the nodes, too, that only other nodes name.
    redisOptions: {
      ...OPTIONS,
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  });
}

/**
 * Why no connection to a node (host:port) can be made, undefined when one can: a Cluster only says that it was closed.
 * Takes two seconds at most.
 */
export async function connectError(cluster: Cluster, address: string): Promise<Error | undefined> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  const { redisOptions } = cluster.options;
  const node = new Redis({
    ...redisOptions,
    ...{ host, port: Number(port), replyMapping: 'legacy' },
    ...{ enableReadyCheck: false, retryStrategy: () => null },
  });
  let problem: Error | undefined;
  node.on('error', (error: Error) => (problem = error));
  await node.connect().catch(() => undefined); // It says the same by 'error'.
  node.disconnect();
  return problem;
}

/** The connections to all servers that have keys of their own. */
export function primaryNodes(client: RedisClient): Redis[] {
  return client instanceof Redis ? [client] : client.nodes('master');
}

/** All servers that have keys of their own, those included that cannot be reached. */
export function primariesOf(client: RedisClient): Primary[] {
  if (client instanceof Redis) return [{ node: client, tag: '' }];
  const nodes = new Map(client.nodes('master').map((node) => [addressOf(node), node]));
  const owners = new Set(client.slots.map(([owner]) => owner));
  const tags = new Map<string, string>();
  for (let count = 0; count < MAX_TAGS && tags.size < owners.size; count += 1) {
    const tag = `{${count}}`;
    const [owner] = client.slots[new Command('get', [tag]).getSlot()] ?? [];
    if (owner !== undefined && !tags.has(owner)) tags.set(owner, tag);
  }
  return [...tags].map(([owner, tag]) => ({ node: nodes.get(owner), tag }));
}

const addressOf = ({ options }: Redis): string => `${options.host}:${options.port}`;

import { Cluster, Command, Redis, type RedisCommander } from 'ioredis';
import { UnavailableError } from '../domain/errors';

const CONNECT_TIMEOUT_MS = 2000;
const MAX_RECONNECT_DELAY_MS = 2000;
const SLOT_COUNT = 16_384;
/** The slots of the tags {0}, {1} and so on, as far as they were needed: a primary with few slots takes thousands. */
const slotsOfTags: number[] = [];

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
  let attempts = 0;
  const cluster = new Cluster(nodes, {
    lazyConnect: true,
    enableOfflineQueue: false,
    // It asks one of the primaries and waits for it without a limit; the service checks each of them by itself.
    enableReadyCheck: false,
    // ioredis' own count begins again with each node that responds, even one that knows of no slots.
    clusterRetryStrategy: () => retryDelayMs(++attempts),
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
  cluster.on('ready', () => {
    if (cluster.nodes().length > 0) attempts = 0;
    // That node knows of no slots, and ioredis goes on by what an earlier one has said.
    else cluster.slots.length = 0;
  });
  cluster.on('+node', (node: Redis) => {
    // A MOVED that comes after the end still adds a node.
    if (!['connecting', 'ready'].includes(cluster.status)) return;
    // Else the first command connects it, and is queued there until then: a Cluster rejects those to a node on its way.
    node.connect().catch(() => undefined); // It says the same by 'node error'.
    // A Cluster drops the promise: where the node of an ASK is lost, or refuses, that would end the process.
    const asking = node.asking.bind(node);
    node.asking = (callback = () => undefined) => asking(callback);
  });
  return cluster;
}

/** The connections to all servers that have keys of their own. */
export function primaryNodes(client: RedisClient): Redis[] {
  return client instanceof Redis ? [client] : client.nodes('master');
}

/**
 * All servers that have keys of their own, those included that cannot be reached. Throws UnavailableError while a slot is
 * nobody's.
 */
export function primariesOf(client: RedisClient): Primary[] {
  if (client instanceof Redis) return [{ node: client, tag: '' }];
  const nodes = new Map(client.nodes('master').map((node) => [addressOf(node), node]));
  const owners = Array.from({ length: SLOT_COUNT }, (_, slot) => client.slots[slot]?.[0]);
  if (owners.includes(undefined)) throw slotsMissing();
  const count = new Set(owners).size;
  const tags = new Map<string | undefined, string>();
  for (let nth = 0; tags.size < count; nth += 1) {
    const tag = `{${nth}}`;
    const owner = owners[(slotsOfTags[nth] ??= new Command('get', [tag]).getSlot())];
    if (!tags.has(owner)) tags.set(owner, tag);
  }
  return [...tags].map(([owner = '', tag]) => ({ node: nodes.get(owner), tag }));
}

/** Why a cluster cannot take every key. */
export const slotsMissing = (): UnavailableError =>
  new UnavailableError('CLUSTERDOWN: a slot has no primary');

const addressOf = ({ options }: Redis): string => `${options.host}:${options.port}`;

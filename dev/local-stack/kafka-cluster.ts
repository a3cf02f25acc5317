import { allStarted } from './all-started';
import { type KafkaNodeOptions, prepareKafkaNode } from './kafka-node';
import { LocalServer } from './local-server';
import { onFreePorts } from './ports';

/** What a Kafka cluster is started with. */
export interface KafkaClusterOptions extends Omit<KafkaNodeOptions, 'durable'> {
  /** An odd number: writes and the election of a controller need more than half of them. */
  readonly nodes: number;
  /** Whether nodes stop in an orderly way, false by default; a restart finds the data all the same. */
  readonly durable?: boolean;
}

/** Kafka nodes that run, each of them broker and controller. */
export interface KafkaCluster {
  /** In the order of their ids, which count from 1. */
  readonly nodes: readonly LocalServer[];
  /** The addresses for clients, with commas between them. */
  readonly brokers: string;
  /** Stops all nodes; the data folder stays. */
  stop(): Promise<void>;
  /** Ends all nodes at once; the data folder stays. */
  kill(): Promise<void>;
}

/** Resolves when all nodes serve clients; if one fails, kills the others and rejects with its error. */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<KafkaCluster> {
  const nodes = await onFreePorts(options.nodes, (ports) => startNodes(ports, options));
  return {
    nodes,
    brokers: nodes.map(({ host, port }) => `${host}:${port}`).join(),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
    async kill() {
      await Promise.all(nodes.map((node) => node.kill()));
    },
  };
}

/** In parallel: none of them serves before a majority has elected a controller. */
function startNodes(
  clusterPorts: readonly number[],
  { durable = false, ...options }: KafkaClusterOptions,
): Promise<readonly LocalServer[]> {
  const starts = clusterPorts.map(async (port, index) => {
    const place = { id: index + 1, clusterPorts };
    const recipe = await prepareKafkaNode(`kafka-${place.id}`, place, { ...options, durable });
    return LocalServer.startOn(port, recipe);
  });
  return allStarted(starts);
}

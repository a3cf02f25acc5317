import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The identity and listeners of one Kafka node. */
export interface KafkaPlace {
  /** Counted from 1. */
  readonly id: number;
  /** The ports of all nodes of its cluster in the order of their ids; it is alone without them. */
  readonly clusterPorts?: readonly number[];
  /** Of a proxy on 127.0.0.1, to which clients are sent instead of to the node itself. */
  readonly advertisedPort?: number;
  /** One more listener, for clients with TLS and SASL. */
  readonly saslSsl?: {
    readonly port: number;
    /** The certificate, the mechanisms and their users, as Kafka's properties. */
    readonly settings: Readonly<Record<string, string>>;
  };
}

/** Writes the settings of a node that listens for clients on `port`; its controller listens on the next one. */
export async function writeKafkaProperties(folder: string, port: number, place: KafkaPlace): Promise<string> {
  const { id, clusterPorts = [port], advertisedPort = port, saslSsl } = place;
  // The name is what certificates of this machine are made for.
  const [secured = '', securedAddress = ''] = saslSsl
    ? [`,SASL_SSL://127.0.0.1:${saslSsl.port}`, `,SASL_SSL://localhost:${saslSsl.port}`]
    : [];
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': clusterPorts
      .map((each, index) => `${index + 1}@127.0.0.1:${each + 1}`)
      .join(),
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}${secured}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertisedPort}${securedAddress}`,
    'log.dirs': join(folder, 'data'),
    ...replication(clusterPorts.length),
    ...quick,
    ...saslSsl?.settings,
  };
  const path = join(folder, 'server.properties');
  await writeFile(
    path,
    Object.entries(settings).map(([name, value]) => `${name}=${value}\n`),
  );
  return path;
}

/** A copy on each node; a write is confirmed when it is on the majority of them. */
function replication(nodes: number): Record<string, number> {
  const majority = Math.floor(nodes / 2) + 1;
  return {
    'default.replication.factor': nodes,
    'min.insync.replicas': majority,
    'offsets.topic.replication.factor': nodes,
    'transaction.state.log.replication.factor': nodes,
    'transaction.state.log.min.isr': majority,
    'share.coordinator.state.topic.replication.factor': nodes,
    'share.coordinator.state.topic.min.isr': majority,
  };
}

const quick = {
  'num.partitions': 1,
  'offsets.topic.num.partitions': 1, // 50 by default, each with files of its own.
  'auto.create.topics.enable': false, // So that a forgotten creation is noticed.
  'group.initial.rebalance.delay.ms': 0, // Waiting for more members helps only large groups.
  // After a crash the controller takes the node back only when its old session has run out (9 s by default).
  'broker.session.timeout.ms': 2000,
  'broker.heartbeat.interval.ms': 500,
  'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024, // 128 MB by default, taken at the start.
};

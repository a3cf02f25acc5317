import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes the settings of a single node whose clients connect to `port`; the controller listens on the next one. */
export async function writeKafkaProperties(folder: string, port: number): Promise<string> {
  const clients = `PLAINTEXT://127.0.0.1:${port}`;
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${port + 1}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners: `${clients},CONTROLLER://127.0.0.1:${port + 1}`,
    'advertised.listeners': clients,
    'log.dirs': join(folder, 'data'),
    ...singleNode,
    ...quick,
  };
  const path = join(folder, 'server.properties');
  await writeFile(
    path,
    Object.entries(settings).map(([name, value]) => `${name}=${value}\n`),
  );
  return path;
}

const singleNode = {
  'default.replication.factor': 1,
  'offsets.topic.replication.factor': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
};

const quick = {
  'num.partitions': 1,
  'offsets.topic.num.partitions': 1, // 50 by default, each with files of its own.
  'auto.create.topics.enable': false, // So that a forgotten creation shows.
  'group.initial.rebalance.delay.ms': 0, // Waiting for more members pays only in large groups.
  // After a crash the controller takes the node back only when its old session has run out (9 s by default).
  'broker.session.timeout.ms': 2000,
  'broker.heartbeat.interval.ms': 500,
  'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024, // 128 MB by default, taken at the start.
};

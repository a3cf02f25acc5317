import { connect } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';

/**
 * Rejects until the node serves clients and counts itself among its cluster's brokers. Asks kafkajs only once something
 * listens: its failed connections are slow.
 */
export async function pingKafka(port: number, nodeId: number): Promise<void> {
  await connectOnce(port);
  const admin = new Kafka({
    clientId: 'local-stack',
    brokers: [`127.0.0.1:${port}`],
    // To this node itself, whatever addresses it advertises: a proxy's, or those of the other nodes.
    socketFactory: ({ onConnect }) => connect(port, '127.0.0.1', onConnect),
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
    requestTimeout: 5000,
  }).admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (!brokers.some((broker) => broker.nodeId === nodeId)) throw new Error('it is not registered yet');
  } finally {
    await admin.disconnect();
  }
}

function connectOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy()).once('error', reject);
    socket.once('close', () => resolve());
  });
}

import { connect } from 'node:net';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { createFolderOnce } from './folders';
import { findJava } from './java';
import { writeKafkaProperties } from './kafka-properties';
import { LocalServer } from './local-server';
import type { Command } from './owned-process';
import { runToEnd } from './run-to-end';
import { fetchServers } from './server-files';

const clusterId = 'bG9jYWwtc3RhY2std29yaw';
const smallAndQuickToStart = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const logging = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dlog4j2.StatusLogger.level=OFF'];

/** What a local Kafka node is started with. */
export interface KafkaOptions {
  /** Holds its folder `kafka` and its log. */
  readonly dataDir: string;
  /** False ends it without a goodbye, which saves two seconds; a restart finds the data all the same. */
  readonly durable: boolean;
  /** Instead of the default ones, which favour a quick start and little memory over throughput. */
  readonly jvmOptions?: readonly string[];
  readonly report: (line: string) => void;
}

/** Starts one Kafka node that is broker and controller; the first start in a data folder formats it. */
export async function startKafka(options: KafkaOptions): Promise<LocalServer> {
  const java = await findJava();
  const { kafkaJars } = await fetchServers(options.report);
  const folder = join(options.dataDir, 'kafka');
  const log = `${folder}.log`;
  const run = (jvmOptions: readonly string[], ...args: readonly string[]): Command => {
    return { file: java, args: [...jvmOptions, ...logging, '-cp', join(kafkaJars, '*'), ...args] };
  };

  await createFolderOnce(folder, async (draft) => {
    const properties = await writeKafkaProperties(draft, 1);
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties];
    await runToEnd("formatting Kafka's storage", run(smallAndQuickToStart, ...format), log);
  });
  return LocalServer.start({
    name: 'kafka',
    log,
    stopSignal: options.durable ? 'SIGINT' : 'SIGKILL',
    command: async (port) =>
      run(
        options.jvmOptions ?? smallAndQuickToStart,
        'kafka.Kafka',
        await writeKafkaProperties(folder, port),
      ),
    ping,
  });
}

/** Asks kafkajs only once something listens: its failed connections are slow. */
async function ping(port: number): Promise<void> {
  await connectOnce(port);
  const client = { clientId: 'local-stack', brokers: [`127.0.0.1:${port}`], retry: { retries: 0 } };
  const admin = new Kafka({ ...client, logLevel: logLevel.NOTHING, requestTimeout: 5000 }).admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length === 0) throw new Error('the broker is not registered yet');
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

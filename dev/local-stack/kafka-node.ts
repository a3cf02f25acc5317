import { join } from 'node:path';
import { createFolderOnce } from './folders';
import { findJava } from './java';
import { pingKafka } from './kafka-ping';
import { type KafkaPlace, writeKafkaProperties } from './kafka-properties';
import type { Command } from './owned-process';
import { runToEnd } from './run-to-end';
import { fetchServers } from './server-files';
import type { ServerRecipe } from './server-recipe';
import { currentVariant } from './variant';

const clusterId = 'bG9jYWwtc3RhY2std29yaw';
const smallAndQuickToStart = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const logging = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dlog4j2.StatusLogger.level=OFF'];

/** What every local Kafka node is started with. */
export interface KafkaNodeOptions {
  /** Holds a folder and a log of each node's name. */
  readonly dataDir: string;
  /** False ends it by SIGKILL, which saves two seconds; a restart finds the data all the same. */
  readonly durable: boolean;
  /** In place of the defaults, which favour a quick start and little memory over throughput. */
  readonly jvmOptions?: readonly string[];
  /** Users that prove their password by SCRAM, such as `SCRAM-SHA-512=[name=app,password=secret]`. */
  readonly scramUsers?: readonly string[];
  readonly report: (line: string) => void;
}

/** Prepares the start of a node that is broker and controller; formats its data folder the first time. */
export async function prepareKafkaNode(
  name: string,
  place: KafkaPlace,
  options: KafkaNodeOptions,
): Promise<ServerRecipe> {
  const java = await findJava();
  const kafkaJars = currentVariant().kafkaJars ?? (await fetchServers(options.report)).kafkaJars;
  const folder = join(options.dataDir, name);
  const log = `${folder}.log`;
  const run = (jvmOptions: readonly string[], ...args: readonly string[]): Command => {
    return { file: java, args: [...jvmOptions, ...logging, '-cp', join(kafkaJars, '*'), ...args] };
  };

  await createFolderOnce(folder, async (draft) => {
    const properties = await writeKafkaProperties(draft, 1, place);
    const users = (options.scramUsers ?? []).flatMap((user) => ['--add-scram', user]);
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties, ...users];
    await runToEnd("formatting Kafka's storage", run(smallAndQuickToStart, ...format), log);
  });
  return {
    name,
    log,
    stopSignal: options.durable ? 'SIGINT' : 'SIGKILL',
    command: async (port) =>
      run(
        options.jvmOptions ?? smallAndQuickToStart,
        'kafka.Kafka',
        await writeKafkaProperties(folder, port, place),
      ),
    ping: (port) => pingKafka(port, place.id),
  };
}

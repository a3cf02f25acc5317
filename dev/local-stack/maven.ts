import { createInterface } from 'node:readline';
import { LocalStackError } from './local-stack-error';
import { waysOut } from './java';
import { type Command, OwnedProcess } from './owned-process';
import { createProgressLine } from './progress-line';

/** Lets Maven put Kafka's jars and a Redis program for this platform into `folder`: `pom` names the versions. */
export async function runMaven(
  pom: string,
  folder: string,
  report: (line: string) => void,
  kafkaVersion?: string,
): Promise<void> {
  const redisPlatform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const properties = [`-Dservers.dir=${folder}`, `-Dredis.platform=${redisPlatform}`];
  if (kafkaVersion !== undefined) properties.push(`-Dkafka.version=${kafkaVersion}`);
  const maven = await start({ file: 'mvn', args: ['-B', '-f', pom, 'generate-resources', ...properties] });

  const progress = createProgressLine(report);
  const errors: string[] = [];
  let files = 0;
  if (maven.stdout === null) throw new Error('Maven was started without a pipe');
  createInterface({ input: maven.stdout }).on('line', (line) => {
    if (line.includes('Downloaded from'))
      progress.show(`kafka     fetching with Maven: ${++files} files`, files);
    if (line.includes('[ERROR]')) errors.push(line.replace(/\[ERROR]|-> \[Help 1]/g, '').trim());
  });

  const code = await maven.exited;
  progress.end();
  if (code === 0) return;
  throw new LocalStackError(`Maven could not fetch Kafka: ${errors[0] ?? `it ended with code ${code}`}`);
}

async function start(command: Command): Promise<OwnedProcess> {
  try {
    return await OwnedProcess.start(command, ['ignore', 'pipe', 'ignore']);
  } catch {
    throw new LocalStackError(`Kafka is fetched with Maven, and there is no mvn: ${waysOut}`);
  }
}

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFolderOnce } from './folders';
import { findJava } from './java';
import { runMaven } from './maven';
import { checkoutDir, localDir } from './paths';

/** Where the servers are that npm does not install. */
export interface ServerFiles {
  readonly kafkaJars: string;
  readonly redisProgram: string;
}

let fetching: Promise<ServerFiles> | undefined;

/** Fetches Kafka and Redis as dev/pom.xml says, once for a checkout; 40 MB, some ten seconds. */
export function fetchServers(report: (line: string) => void): Promise<ServerFiles> {
  // Kafka and Redis start at the same time and need the same files.
  fetching ??= fetchFiles(report).finally(() => (fetching = undefined));
  return fetching;
}

/** The same, of this version of Kafka if one is given. */
export async function fetchFiles(
  report: (line: string) => void,
  kafkaVersion?: string,
): Promise<ServerFiles> {
  const pom = join(checkoutDir, 'dev', 'pom.xml');
  // Named after the recipe's content, so that a new version in it is fetched.
  const content = createHash('sha256')
    .update(await readFile(pom))
    .update(kafkaVersion ?? '');
  const folder = join(localDir, 'servers', content.digest('hex').slice(0, 12));
  if (!existsSync(folder)) {
    await findJava();
    await createFolderOnce(folder, (draft) => runMaven(pom, draft, report, kafkaVersion));
  }
  return { kafkaJars: join(folder, 'kafka'), redisProgram: join(folder, 'redis', 'redis-server') };
}

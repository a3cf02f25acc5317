import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LocalStackError } from './local-stack-error';

const oldestVersion = 17;

/** What to do without Java or Maven. */
export const waysOut =
  'install Java 17 or newer and Maven, or run "cp .env.example .env && docker compose up -d" to use containers instead';

/** The java program to run; rejects with one line that names the ways out when it is missing or too old. */
export async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  const java = home ? join(home, 'bin', 'java') : 'java';
  const version = await readVersion(java);
  if (version >= oldestVersion) return java;
  throw new LocalStackError(
    `Kafka needs Java, found ${version > 0 ? `version ${version}` : 'none'}: ${waysOut}`,
  );
}

/** 0 when there is none. */
async function readVersion(java: string): Promise<number> {
  try {
    const { stderr } = await promisify(execFile)(java, ['-version']);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

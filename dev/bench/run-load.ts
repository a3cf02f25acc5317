import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadOptions, LoadResult } from './load';

/** Of all loads but that of too many clients. */
export const connections = 64;

/** Sends the load from a process of its own, so that it does not share an event loop with the measuring. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const args = ['--import', 'tsx', 'dev/bench/load.ts', JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1024 * 1024 });
  const result = JSON.parse(stdout) as LoadResult;
  if (result.good === 0) throw new Error(`nothing was answered: ${JSON.stringify({ options, result })}`);
  return result;
}

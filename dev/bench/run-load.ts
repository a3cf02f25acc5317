import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadOptions, LoadResult } from './load-options';
import { findWrk, runWrk } from './run-wrk';

/** Of all loads but that of too many clients. */
export const connections = 64;

/** Sends the load from a process of its own: wrk's if it is on the PATH, which takes less of the CPU, else autocannon's. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const hasWrk = (await findWrk()) !== undefined;
  const result = await (hasWrk && options.rate === undefined ? runWrk(options) : runAutocannon(options));
  if (result.good === 0) throw new Error(`nothing was answered: ${JSON.stringify({ options, result })}`);
  return result;
}

async function runAutocannon(options: LoadOptions): Promise<LoadResult> {
  const args = ['--import', 'tsx', 'dev/bench/autocannon-load.ts', JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1024 * 1024 });
  return JSON.parse(stdout) as LoadResult;
}

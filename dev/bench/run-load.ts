import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadOptions, LoadResult, PacedOptions, PacedResult } from './load-options';
import { findWrk, runWrk } from './run-wrk';

/** Of every load but the flood. */
export const connections = 64;

/** Sends as fast as responses come, from a process of its own: wrk's if it is on the PATH (it takes less CPU), else autocannon's. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  return checked(options, await tryLoad(options));
}

/** Like runLoad, but does not reject when no request succeeds. */
export async function tryLoad(options: LoadOptions): Promise<LoadResult> {
  const hasWrk = (await findWrk()) !== undefined;
  return hasWrk ? runWrk(options) : runScript<LoadResult>('autocannon-load.ts', options);
}

/** Sends POSTs at a rate, from a process of its own: neither wrk nor autocannon spreads requests over a second. */
export async function runPacedLoad(options: PacedOptions): Promise<PacedResult> {
  return checked(options, await runScript<PacedResult>('paced-load.ts', options));
}

/** Says how many requests failed: the figures of such a round are not those of the others. */
function checked<T extends { good: number; bad: number }>(options: object, result: T): T {
  const { good, bad } = result;
  if (good === 0) throw new Error(`no request got a 2xx: ${JSON.stringify({ options, result })}`);
  if (bad > 0) console.log(`  ${bad} of ${good + bad} requests got no 2xx`);
  return result;
}

async function runScript<T>(script: string, options: object): Promise<T> {
  const args = ['--import', 'tsx', `dev/bench/${script}`, JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as T;
}

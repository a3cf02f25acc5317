import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadOptions, LoadResult, PacedOptions, PacedResult } from './load-options';
import { findWrk, runWrk } from './run-wrk';

/** Of all loads but that of too many clients. */
export const connections = 64;

/** Sends as much as is answered from a process of its own: wrk's if it is on the PATH, which takes less of the CPU, else autocannon's. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const hasWrk = (await findWrk()) !== undefined;
  const result = await (hasWrk ? runWrk(options) : runScript<LoadResult>('autocannon-load.ts', options));
  return answered(options, result);
}

/** Sends POSTs at a rate, from a process of its own: neither wrk nor autocannon spreads requests over a second. */
export async function runPacedLoad(options: PacedOptions): Promise<PacedResult> {
  return answered(options, await runScript<PacedResult>('paced-load.ts', options));
}

function answered<T extends { good: number }>(options: object, result: T): T {
  if (result.good === 0) throw new Error(`nothing was answered: ${JSON.stringify({ options, result })}`);
  return result;
}

async function runScript<T>(script: string, options: object): Promise<T> {
  const args = ['--import', 'tsx', `dev/bench/${script}`, JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as T;
}

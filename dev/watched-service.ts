import { setTimeout as sleep } from 'node:timers/promises';
import { OwnedProcess } from './local-stack/owned-process';
import { checkoutDir } from './local-stack/paths';

const pollIntervalMs = 250;

/** Starts src/main.ts in this terminal, again after each change of a source file. */
export function startWatchedService(env: NodeJS.ProcessEnv): Promise<OwnedProcess> {
  const args = [require.resolve('tsx/cli'), 'watch', '--clear-screen=false', 'src/main.ts'];
  return OwnedProcess.start({ file: process.execPath, args, cwd: checkoutDir, env }, 'inherit');
}

/** Resolves with true when the service says that it is ready, with false when `service` ended before. */
export async function waitUntilReady(url: string, service: OwnedProcess): Promise<boolean> {
  while (service.running) {
    if (await answersOk(url)) return true;
    await sleep(pollIntervalMs);
  }
  return false;
}

async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false; // Not listening yet, or between two restarts.
  }
}

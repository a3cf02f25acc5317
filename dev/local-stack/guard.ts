import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { checkoutDir } from './paths';

type Guarded = `process ${number}` | `folder ${string}`;

const guarded = new Set<Guarded>();
let reaper: ChildProcess | undefined;

/** From now on the process is stopped, or the folder removed, however this process ends. */
export function guard(item: Guarded): void {
  guarded.add(item);
  reaper ??= startReaper();
  reaper.stdin?.write(`guard ${item}\n`);
}

/** Ends what guard() began. The reaper lives only while it guards something. */
export function release(item: Guarded): void {
  if (!guarded.delete(item)) return;
  reaper?.stdin?.write(`release ${item}\n`);
  if (guarded.size > 0) return;
  reaper?.stdin?.end();
  reaper = undefined;
}

/** Detached, so that Ctrl-C and a killed process group miss it; unreferenced, so that it keeps no process alive. */
function startReaper(): ChildProcess {
  const child = spawn(process.execPath, ['--require', 'tsx/cjs', join(__dirname, 'reaper.ts')], {
    cwd: checkoutDir,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  child.stdin.on('error', () => undefined); // The reaper was killed.
  return child;
}

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const killDeadlineMs = 10_000;

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** The full command line of a running process; undefined when there is none of this id. */
export async function commandOf(pid: number): Promise<string | undefined> {
  return (await listProcesses()).find((row) => row.pid === pid)?.command;
}

/**
 * Asks a process to end by `signal` and waits; after `timeoutMs` it and all its descendants are killed.
 * Works on a frozen process too: a stopped process would leave the signal pending for ever.
 */
export async function stopTree(pid: number, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  const tree = await thawTree(pid);
  send(pid, signal);
  if (!(await areGone(tree, timeoutMs))) await killTree(pid);
}

/** Kills a process and all its descendants as a machine crash would: none of them runs another instruction. */
export async function killTree(pid: number): Promise<void> {
  const tree = await freezeTree(pid);
  for (const member of tree) send(member, 'SIGKILL');
  await areGone(tree, killDeadlineMs);
}

/** Kills what an ended process left of its process group: a killed `tsx watch` would leave the service running. */
export function killRestOfGroup(leader: number): void {
  send(-leader, 'SIGKILL');
}

/** Stops a process and all its descendants without ending them; returns their ids. */
export async function freezeTree(pid: number): Promise<readonly number[]> {
  // The root first, so that it starts no further child while the others are listed.
  send(pid, 'SIGSTOP');
  const tree = await listTree(pid);
  for (const member of tree) send(member, 'SIGSTOP');
  return tree;
}

/** Undoes freezeTree; returns the ids. */
export async function thawTree(pid: number): Promise<readonly number[]> {
  const tree = await listTree(pid);
  for (const member of [...tree].reverse()) send(member, 'SIGCONT');
  return tree;
}

/** By parent, not by process group: each PostgreSQL backend makes itself the leader of a group of its own. */
async function listTree(root: number): Promise<readonly number[]> {
  const rows = await listProcesses();
  const tree = rows.filter((row) => row.pid === root).map((row) => row.pid);
  // for…of also visits what is pushed meanwhile, so grandchildren are found.
  for (const member of tree) tree.push(...rows.filter((row) => row.parent === member).map((row) => row.pid));
  return tree;
}

async function areGone(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (!pids.some((pid) => send(pid, 0))) return true;
    // A zombie can still be signalled; where process 1 reaps nothing, only the table tells that it ended.
    const running = new Set((await listProcesses()).map((row) => row.pid));
    if (!pids.some((pid) => running.has(pid))) return true;
    await sleep(20);
  }
  return false;
}

async function listProcesses(): Promise<readonly ProcessRow[]> {
  const format = ['-ww', '-A', '-o', 'pid=,ppid=,stat=,command='];
  const { stdout } = await promisify(execFile)('ps', format, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').flatMap(parseRow);
}

/** Leaves zombies out: they run nothing. */
function parseRow(line: string): readonly ProcessRow[] {
  const [, pid, parent, stat, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
  if (pid === undefined || parent === undefined || command === undefined || stat?.startsWith('Z')) return [];
  return [{ pid: Number(pid), parent: Number(parent), command }];
}

/** False when there is no such process. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { stopTree } from './process-tree';

const stopTimeoutMs = 10_000;

/**
 * A process of its own that outlives its parent, however that ended, and cleans up after it. It reads lines of
 * `guard process PID`, `guard folder PATH` and `release …`; the end of its input means that the parent is gone.
 */
async function reap(): Promise<void> {
  const guarded = await readGuarded();
  const named = (kind: string): string[] =>
    guarded.filter((item) => item.startsWith(`${kind} `)).map((item) => item.slice(kind.length + 1));

  // SIGINT is PostgreSQL's fast stop (SIGTERM waits for its clients); the others take both alike.
  await Promise.all(named('process').map((pid) => stopTree(Number(pid), 'SIGINT', stopTimeoutMs)));
  await Promise.all(named('folder').map((path) => rm(path, { recursive: true, force: true })));
}

async function readGuarded(): Promise<readonly string[]> {
  const guarded = new Set<string>();
  for await (const line of createInterface({ input: process.stdin })) {
    const [verb, ...item] = line.split(' ');
    if (verb === 'guard') guarded.add(item.join(' '));
    else guarded.delete(item.join(' '));
  }
  return [...guarded];
}

void reap();

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender';

const idleMs = 5000;

/** The CPU that a process takes without any request. */
export async function measureIdle(contender: Contender): Promise<Record<string, number>> {
  const cpu = contender.cpuMicroseconds;
  const startedAt = performance.now();
  await sleep(idleMs);
  const elapsedMs = performance.now() - startedAt;
  return { 'CPU when idle, %': (contender.cpuMicroseconds - cpu) / 10 / elapsedMs };
}

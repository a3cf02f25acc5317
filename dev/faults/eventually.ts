import { setTimeout as sleep } from 'node:timers/promises';

const pollIntervalMs = 200;

/** Resolves to the milliseconds until `isSo`; rejects with `what` after `limitSeconds`. */
export async function eventually(
  what: string,
  limitSeconds: number,
  isSo: () => Promise<boolean>,
): Promise<number> {
  const startedAt = performance.now();
  let problem: unknown;
  while (performance.now() - startedAt < limitSeconds * 1000) {
    try {
      if (await isSo()) return performance.now() - startedAt;
    } catch (error) {
      problem = error;
    }
    await sleep(pollIntervalMs);
  }
  throw new Error(`not within ${limitSeconds} s: ${what}`, { cause: problem });
}

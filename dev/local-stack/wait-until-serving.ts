import { setTimeout as sleep } from 'node:timers/promises';
import { LocalStackError } from './local-stack-error';
import type { OwnedProcess } from './owned-process';
import { lastWords } from './server-log';
import type { ServerRecipe } from './server-recipe';

const startTimeoutMs = 60_000;
const pingIntervalMs = 25;

/** Rejects when the process ends first, or after 60 s. */
export async function waitUntilServing(
  recipe: ServerRecipe,
  port: number,
  child: OwnedProcess,
): Promise<void> {
  const { name, log } = recipe;
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline) {
    const isServing = await recipe.ping(port).then(
      () => true,
      () => false,
    );
    // Checked after the ping, whose response may be that of another program on this port.
    if (!child.running) throw new LocalStackError(`${name} ended during its start: ${lastWords(log)}`);
    if (isServing) return;
    await sleep(pingIntervalMs);
  }
  throw new LocalStackError(`${name} did not answer within ${startTimeoutMs / 1000} s: ${lastWords(log)}`);
}

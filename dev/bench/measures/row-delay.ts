import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { loadConfig } from '../../../src/config/config';
import { connectionOptions } from '../../../src/postgres/pool';
import { ask } from '../../faults/http-client';
import type { Contender } from '../contender';
import { connections, runPacedLoad } from '../run-load';
import { sampleRegistration } from '../sample-registration';
import { quantile } from '../statistics';

const pauseMs = 20;
const pollMs = 2;
const rowLimitMs = 60_000;
const responseLimitMs = 5000;

let series = 0;

/**
 * The time from a 201 to its row, for one registration after the other beside a load. In a round of its own: polling for
 * the row takes CPU from the load.
 */
export async function measureRowDelay(
  contender: Contender,
  seconds: number,
  rate: number,
): Promise<Record<string, number>> {
  const rows = await contender.countRows();
  const emailPrefix = `delayed-${(series += 1)}`;
  const progress = { isOver: false };
  const load = runPacedLoad({ url: `${contender.url}/api/users`, seconds, connections, rate, emailPrefix });
  const end = load.finally(() => (progress.isOver = true));
  const database = new Client(connectionOptions(loadConfig(contender.env).postgres));
  await database.connect();
  const delays: number[] = [];
  try {
    while (!progress.isOver) {
      delays.push(await delayOfOne(contender, database));
      await sleep(pauseMs);
    }
  } finally {
    await database.end();
    await end;
  }
  await contender.untilStored(rows + delays.length + (await load).accepted);
  return { '201 to row p50, ms': quantile(delays, 0.5), '201 to row p99, ms': quantile(delays, 0.99) };
}

async function delayOfOne(contender: Contender, database: Client): Promise<number> {
  const email = `delay-${(series += 1)}@example.com`;
  const { status } = await ask(`${contender.url}/api/users`, responseLimitMs, sampleRegistration(email));
  if (status !== 201) throw new Error(`${contender.recipe.name} answered ${status} at half load`);
  const acceptedAt = performance.now();
  while (performance.now() - acceptedAt < rowLimitMs) {
    const { rowCount } = await database.query('SELECT FROM users WHERE email = $1', [email]);
    if (rowCount === 1) return performance.now() - acceptedAt;
    await sleep(pollMs);
  }
  throw new Error(`${contender.recipe.name}: no row ${rowLimitMs} ms after its 201`);
}

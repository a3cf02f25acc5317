import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeCursor, type PageCursor } from '../../../src/domain/pagination';
import { localDir } from '../../local-stack/paths';
import type { Contender } from '../contender';
import type { Measured } from '../report';
import { connections, runLoad } from '../run-load';
import { explainReads } from './growth-plans';
import { GrownTable } from './growth-table';

const seconds = 5;
const rounds = 5;
const sizes = [1000, 5_000_000];
const limit = 100;

/** Look-ups, first and deep pages of the list, in a small table and in a large one in turns. */
export async function measureGrowth(contender: Contender): Promise<Measured> {
  const tables: { table: GrownTable; deep: PageCursor[] }[] = [];
  const plans: string[] = [];
  for (const rows of sizes) {
    const table = await GrownTable.create(contender.env, rows);
    await table.asUsers(async () => {
      const deep = await table.deepPositions();
      tables.push({ table, deep });
      plans.push(`${rows} rows`, ...(await explainReads(contender.env, table.email(7), limit, deep)));
    });
  }
  await mkdir(join(localDir, 'bench'), { recursive: true });
  await writeFile(join(localDir, 'bench', 'plans.txt'), plans.join('\n'));

  const results: Record<string, number[]> = {};
  for (let round = 0; round <= rounds; round += 1) {
    for (const { table, deep } of tables) {
      const measured = await table.asUsers(() => measureReads(contender, table, deep));
      if (round === 0) continue; // The warm-up.
      for (const [name, value] of Object.entries(measured)) (results[name] ??= []).push(value);
    }
  }
  for (const { table } of tables) await table.drop();
  return results;
}

async function measureReads(
  { url }: Contender,
  { rows, prefix }: GrownTable,
  deep: readonly PageCursor[],
): Promise<Record<string, number>> {
  const users = `${url}/api/users`;
  const load = { seconds, connections };
  // The status uses the same look-up in PostgreSQL as a POST, each time; a user would be cached.
  const emails = { prefix, count: rows, path: '/status' };
  const look = await runLoad({ ...load, url: users, emails });
  const first = await runLoad({ ...load, url: `${users}?limit=${limit}` });
  const deepPages = await runLoad({ ...load, url: users, paths: deep.map(pathAfter) });
  const size = `${rows.toLocaleString('en')} rows`;
  return {
    [`${size}: look-up, requests/s`]: look.requestsPerSecond,
    [`${size}: first page, requests/s`]: first.requestsPerSecond,
    [`${size}: deep pages, requests/s`]: deepPages.requestsPerSecond,
  };
}

/** The next page's path, as in the Link header. */
function pathAfter(cursor: PageCursor): string {
  return `/api/users?limit=${limit}&cursor=${encodeCursor(cursor)}`;
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from '../../../tests/support/test-servers';
import { nextLink } from '../../../src/routes/page';
import { localDir } from '../../local-stack/paths';
import type { Contender } from '../contender';
import { connections, runLoad } from '../run-load';

const seconds = 5;
const rounds = 3;
const sizes = [1000, 5_000_000];
/** So many rows share one created_at, as after an import; the others are a second apart. */
const ties = 100_000;
const prefix = 'growth';

/** Look-ups and pages of the list, from the cheapest to the deepest, in a small table and in a large one. */
export async function measureGrowth(contender: Contender): Promise<Record<string, number>> {
  const results: Record<string, number> = {};
  const plans: string[] = [];
  for (const rows of sizes) {
    await growTo(contender, rows);
    plans.push(`${rows} rows`, ...(await explain(contender, rows)));
    const users = `${contender.url}/api/users`;
    const deep = new URL(await pathOfMiddle(contender, rows), users).href;
    await runLoad({ url: `${users}?limit=100`, seconds, connections }); // Warms up.
    for (let round = 1; round <= rounds; round += 1) {
      // The status asks PostgreSQL each time, by the look-up that a POST makes; a user is cached after the first answer.
      const emails = { prefix, count: Math.min(rows, 200_000), path: '/status' };
      const look = await runLoad({ url: users, seconds, connections, emails });
      const first = await runLoad({ url: `${users}?limit=100`, seconds, connections });
      const middle = await runLoad({ url: deep, seconds, connections });
      const keep = (what: string, value: number): void => {
        const name = `${rows.toLocaleString('en')} rows: ${what}, requests/s`;
        results[name] = (results[name] ?? 0) + value / rounds;
      };
      keep('look-up', look.requestsPerSecond);
      keep('first page', first.requestsPerSecond);
      keep('page in the middle', middle.requestsPerSecond);
    }
  }
  await mkdir(join(localDir, 'bench'), { recursive: true });
  await writeFile(join(localDir, 'bench', 'plans.txt'), plans.join('\n'));
  return results;
}

async function growTo({ env }: Contender, rows: number): Promise<void> {
  await sql(env, 'TRUNCATE users');
  await sql(
    env,
    `INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at)
     SELECT 'John', 'Doe', $1 || '-' || n || '@example.com', 'male', 'male', 'Reader',
       timestamp '2020-01-01' + interval '1 second' * CASE WHEN n > $2::int / 2 THEN greatest(n, $2::int / 2 + $3::int) ELSE n END
     FROM generate_series(0, $2::int - 1) n`,
    [prefix, rows, tiesOf(rows)],
  );
  await sql(env, 'VACUUM ANALYZE users');
}

/** The page behind the row in the middle of the ties, as its Link header names it. */
async function pathOfMiddle({ env }: Contender, rows: number): Promise<string> {
  const [row] = await sql(
    env,
    `SELECT (extract(epoch FROM created_at) * 1000000)::bigint::text AS micros, id FROM users WHERE email = $1`,
    [`${prefix}-${(rows + tiesOf(rows)) / 2}@example.com`],
  );
  const link = nextLink(100, { createdAtMicros: Number(row?.['micros']), id: Number(row?.['id']) });
  return link.slice(1, link.indexOf('>'));
}

function tiesOf(rows: number): number {
  return Math.min(ties, rows / 10);
}

async function explain({ env }: Contender, rows: number): Promise<string[]> {
  const order = 'ORDER BY created_at DESC, id DESC LIMIT 101';
  const statements = [
    `SELECT * FROM users WHERE email = ANY(ARRAY['${prefix}-7@example.com'])`,
    `SELECT * FROM users ${order}`,
    `SELECT * FROM users WHERE (created_at, id) < (timestamp '2020-01-01' + interval '1 second' * ${rows / 2 + tiesOf(rows)}, ${rows / 2}) ${order}`,
  ];
  const plans = statements.map(async (statement) => {
    const lines = await sql(env, `EXPLAIN (ANALYZE, BUFFERS) ${statement}`);
    return [statement, ...lines.map((line) => `  ${String(line['QUERY PLAN'])}`)].join('\n');
  });
  return Promise.all(plans);
}

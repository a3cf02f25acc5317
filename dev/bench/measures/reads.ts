import { sql } from '../../../tests/support/test-servers';
import { eventually } from '../../faults/eventually';
import { ask } from '../../faults/http-client';
import type { Contender } from '../contender';
import { connections, runLoad } from '../run-load';
import { sampleRegistration } from '../sample-registration';

// More than one round of 15 s reads.
const uncachedCount = 200_000;

let series = 0;

/** GET of one email that the pipelines have cached, of emails that they have not, and of the newest 100 users. */
export async function measureReads(contender: Contender, seconds: number): Promise<Record<string, number>> {
  const email = 'reader@example.com';
  await ask(`${contender.url}/api/users`, 5000, sampleRegistration(email));
  const url = `${contender.url}/api/users/${email}`;
  await eventually('the row can be read', 30, async () => (await ask(url, 5000)).status === 200);

  const users = `${contender.url}/api/users`;
  const one = await runLoad({ url, seconds, connections });
  const uncached = await runLoad({
    url: users,
    seconds,
    connections,
    emails: await insertUncached(contender),
  });
  const list = await runLoad({ url: `${users}?limit=100`, seconds, connections });
  return {
    'GET by email, requests/s': one.requestsPerSecond,
    'GET by email, not cached, requests/s': uncached.requestsPerSecond,
    'GET list of 100, requests/s': list.requestsPerSecond,
  };
}

/** Inserts rows that no cache holds. */
async function insertUncached({ env }: Contender): Promise<{ prefix: string; count: number }> {
  const prefix = `uncached-${(series += 1)}`;
  await sql(
    env,
    `INSERT INTO users (first_name, last_name, email, gender, sex, occupation)
     SELECT 'John', 'Doe', $1 || '-' || n || '@example.com', 'male', 'male', 'Reader' FROM generate_series(0, $2::int - 1) n`,
    [prefix, uncachedCount],
  );
  return { prefix, count: uncachedCount };
}

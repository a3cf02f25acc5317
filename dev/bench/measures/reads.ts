import { sql } from '../../../tests/support/test-servers';
import { eventually } from '../../faults/eventually';
import { ask } from '../../faults/http-client';
import type { Contender } from '../contender';
import { connections, runLoad } from '../run-load';
import { sampleRegistration } from '../sample-registration';

// More than are read in one round.
const uncachedCount = 200_000;

let series = 0;

/** GET of one e-mail that the pipelines have in their caches, of e-mails that they do not, and of the newest hundred. */
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
    'GET by e-mail, requests/s': one.requestsPerSecond,
    'GET by e-mail, not cached, requests/s': uncached.requestsPerSecond,
    'GET list of 100, requests/s': list.requestsPerSecond,
  };
}

/** Makes rows past every cache; nobody has read them yet. */
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

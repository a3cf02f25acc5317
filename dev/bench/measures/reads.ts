import { eventually } from '../../faults/eventually';
import { ask } from '../../faults/http-client';
import type { Contender } from '../contender';
import { runLoad } from '../run-load';

const connections = 64;

/** GET of one stored e-mail, which the pipelines have in their caches, and of the newest hundred. */
export async function measureReads(contender: Contender, seconds: number): Promise<Record<string, number>> {
  const email = 'reader@example.com';
  const registration = {
    firstName: 'John',
    lastName: 'Doe',
    gender: 'male',
    sex: 'male',
    occupation: 'Reader',
  };
  await ask(`${contender.url}/api/users`, 5000, { ...registration, email });
  const url = `${contender.url}/api/users/${email}`;
  await eventually('the row can be read', 30, async () => (await ask(url, 5000)).status === 200);

  const one = await runLoad({ url, seconds, connections });
  const list = await runLoad({ url: `${contender.url}/api/users?limit=100`, seconds, connections });
  return {
    'GET by e-mail, requests/s': one.requestsPerSecond,
    'GET list of 100, requests/s': list.requestsPerSecond,
  };
}

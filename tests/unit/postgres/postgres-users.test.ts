import type { PostgresPool } from '../../../src/postgres/postgres-pool';
import { PostgresUsers } from '../../../src/postgres/postgres-users';

describe('PostgresUsers.isRegistered', () => {
  it('asks once for all requests of one turn of the event loop, each in a callback of its own', async () => {
    const asked: unknown[][] = [];
    const pool = {
      query: (_sql: string, values: unknown[]) => {
        asked.push(values);
        return Promise.resolve([{ email: 'b@example.com' }]);
      },
    } as unknown as PostgresPool;
    const users = new PostgresUsers(pool);

    const answers: Promise<boolean>[] = [];
    for (const email of ['a@example.com', 'b@example.com', 'c@example.com']) {
      answers.push(users.isRegistered(email));
      // What lies between the callbacks of two sockets: every microtask and every nextTick.
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }

    expect(await Promise.all(answers)).toEqual([false, true, false]);
    expect(asked).toEqual([[['a@example.com', 'b@example.com', 'c@example.com']]]);
  });
});

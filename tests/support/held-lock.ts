import { Client } from 'pg';
import { loadConfig } from '../../src/config/config';
import { connectionOptions } from '../../src/postgres/pool';
import { eventually } from './eventually';
import type { Env } from './test-servers';

/** Takes an advisory lock by this statement, on a connection of its own. */
export async function holdLock(env: Env, statement: string) {
  const client = new Client(connectionOptions(loadConfig(env).postgres));
  await client.connect();
  await client.query(statement);
  return {
    untilSomeoneWaits: (): Promise<void> =>
      eventually(async () => {
        const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
        expect((await client.query(waiting)).rowCount).toBeGreaterThan(0);
      }),
    release: (): Promise<void> => client.end(),
  };
}

import { Client } from 'pg';
import { sql } from '../../../tests/support/test-servers';
import type { Env } from '../../../tests/support/test-servers';
import type { Scenario } from '../scenario';

const serviceName = 'user-registration-backend';
const terminateService = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${serviceName}'`;

/** Faults of a PostgreSQL that runs. */
export const postgresScenarios: readonly Scenario[] = [
  {
    name: 'postgres-read-only',
    title: 'PostgreSQL refuses every write for 10 s, as after a failover to a standby',
    tolerates: [],
    isRepeatable: true,
    async run({ bed }) {
      await setReadOnly(bed.env, 'on');
      await bed.hold(10);
      await setReadOnly(bed.env, 'off');
    },
  },
  {
    name: 'postgres-too-many-connections',
    title: 'other programs take every connection that PostgreSQL allows, for 10 s',
    tolerates: ['conflicts'],
    isRepeatable: true,
    async run({ bed }) {
      const others = await takeEveryConnection(bed.env);
      await bed.hold(10);
      await Promise.all(others.map((client) => client.end()));
    },
  },
  {
    name: 'postgres-terminated',
    title: 'an administrator ends every connection of the service, five times in 5 s',
    tolerates: ['conflicts'],
    isRepeatable: true,
    async run({ bed }) {
      for (let round = 0; round < 5; round += 1) {
        await sql(bed.env, terminateService);
        await bed.hold(1);
      }
    },
  },
];

async function setReadOnly(env: Env, value: 'on' | 'off'): Promise<void> {
  await sql(env, `ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await sql(env, 'SELECT pg_reload_conf()');
}

/** Takes what is free, ends the service's connections and takes those as well. */
async function takeEveryConnection(env: Env): Promise<Client[]> {
  const taken = await takeFreeConnections(env);
  await taken[0]?.query(terminateService);
  return [...taken, ...(await takeFreeConnections(env))];
}

async function takeFreeConnections(env: Env): Promise<Client[]> {
  const taken: Client[] = [];
  for (;;) {
    const client = new Client({
      host: env['DB_HOST'],
      port: Number(env['DB_PORT']),
      database: env['DB_NAME'],
      user: env['DB_USER'],
      password: env['DB_PASSWORD'],
    });
    client.on('error', () => undefined); // PostgreSQL may be stopped with the connection still open.
    try {
      await client.connect();
      taken.push(client);
    } catch {
      return taken; // "sorry, too many clients already"
    }
  }
}

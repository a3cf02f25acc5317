import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql, type Env } from './test-servers';

const RIGHTS =
  'GRANT SELECT, INSERT ON users TO $role; GRANT SELECT ON erasures TO $role; GRANT USAGE ON SEQUENCE users_id_seq TO $role';

/** The same servers, reached by a role that has no more rights than the service needs. */
export async function withOwnRole(env: Env, rights = RIGHTS): Promise<Env & { readonly DB_USER: string }> {
  const role = `service_${randomUUID().slice(0, 8)}`;
  await sql(env, `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  await sql(env, rights.replaceAll('$role', role));
  return { ...env, DB_USER: role, DB_PASSWORD: 'secret' };
}

/** Creates the tables, as `npm run migrate` does, which takes longer. */
export async function createTables(env: Env): Promise<void> {
  for (const file of readdirSync('migrations').sort()) {
    const [up = ''] = readFileSync(join('migrations', file), 'utf8').split('-- Down Migration');
    await sql(env, up);
  }
}

/** The same servers with another database, in this encoding and without tables. */
export async function withDatabaseIn(
  encoding: string,
  env: Env,
): Promise<Env & { readonly DB_NAME: string }> {
  const name = `test_${encoding.toLowerCase()}_${randomUUID().slice(0, 8)}`;
  await sql(
    { ...env, DB_NAME: 'postgres' },
    `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`,
  );
  return { ...env, DB_NAME: name };
}

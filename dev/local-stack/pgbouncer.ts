import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalServer } from './local-server';
import { pingPostgres, postgresUser } from './postgres';
import { withoutRoot } from './postgres-program';
import type { Pooler } from './variant';

/** Starts PgBouncer, with its defaults, in front of a PostgreSQL. It knows every user and database of that server. */
export async function startPgBouncer(
  dataDir: string,
  postgres: LocalServer,
  { program, libraries, mode }: Pooler,
): Promise<LocalServer> {
  const folder = join(dataDir, 'pgbouncer');
  const users = join(folder, 'users.txt');
  const configuration = join(folder, 'pgbouncer.ini');
  await mkdir(folder, { recursive: true });
  await writeFile(users, `"${postgresUser.user}" "${postgresUser.password}"\n`);
  return LocalServer.start({
    name: 'pgbouncer',
    log: `${folder}.log`,
    stopSignal: 'SIGINT',
    command: async (port) => {
      const settings = [
        ...['[databases]', `* = host=${postgres.host} port=${postgres.port}`],
        ...['[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir ='],
        ...['auth_type = scram-sha-256', `auth_file = ${users}`, `auth_user = ${postgresUser.user}`],
        ...[`pool_mode = ${mode}`, ''],
      ];
      await writeFile(configuration, settings.join('\n'));
      const env = { ...process.env, LD_LIBRARY_PATH: libraries };
      return { ...withoutRoot(program, [configuration]), env };
    },
    ping: pingPostgres,
  });
}

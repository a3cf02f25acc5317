import { ASSUME_AVAILABLE, assertReachable, NOOP_LOGGER } from '../../src/tools/clients';
import { plural } from '../../src/tools/run-tool';
import type { Terminal } from '../../src/tools/terminal';
import type { Config } from '../../src/config/config';
import { applyMigrations } from '../../src/postgres/migrations';
import { PostgresPool } from '../../src/postgres/pool';
import { PostgresUsers } from '../../src/postgres/users';
import type { Users } from '../../src/services/ports/stores';
import { sampleUser } from './sample-user';
import type { SeedCommand } from './seed-arguments';

const BATCH_USERS = 1000;
const BAR_CELLS = 30;

/** Adds those of the first `users` sample users that are missing. An interruption keeps what was added. */
export async function seedUsers({ users }: SeedCommand, config: Config, terminal: Terminal): Promise<void> {
  if (config.env === 'production')
    throw new Error('NODE_ENV is production: made-up users do not belong there');
  // As the service does at its start: it may be starting now, or not have run yet.
  const { postgres } = config;
  if (postgres.migrateOnStart)
    await assertReachable(
      'PostgreSQL',
      applyMigrations(postgres, () => undefined),
    );
  await withUsers(config, async (table) => {
    let added = 0;
    for (let done = 0; done < users; done += BATCH_USERS) {
      terminal.progress(progressBar(done, users));
      added += await addMissing(table, done + 1, Math.min(done + BATCH_USERS, users));
    }
    terminal.note(progressBar(users, users));
    const known = users - added;
    terminal.line(`${plural(added, 'user')} added${known > 0 ? `, ${known} were there` : ''}`);
  });
}

/** Runs `work` with the users table once PostgreSQL is reachable. Throws UnavailableError. */
async function withUsers(config: Config, work: (users: Users) => Promise<void>): Promise<void> {
  const pool = new PostgresPool({ config: config.postgres, state: ASSUME_AVAILABLE, log: NOOP_LOGGER });
  try {
    await assertReachable('PostgreSQL', pool.check());
    await work(new PostgresUsers(pool));
  } finally {
    await pool.stop();
  }
}

/** Adds the sample users from the n-th to the m-th; resolves to how many were missing. */
async function addMissing(table: Users, from: number, to: number): Promise<number> {
  const batch = Array.from({ length: to - from + 1 }, (_, index) => sampleUser(from + index));
  const known = await table.findByEmails(batch.map(({ email }) => email));
  const emails = new Set(known.map(({ email }) => email));
  const missing = batch.filter(({ email }) => !emails.has(email));
  if (missing.length > 0) await table.insertMissing(missing);
  return missing.length;
}

function progressBar(done: number, all: number): string {
  const cells = Math.floor((done / all) * BAR_CELLS);
  return `[${'='.repeat(cells).padEnd(BAR_CELLS)}] ${done} of ${plural(all, 'user')}`;
}

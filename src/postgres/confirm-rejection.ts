import { randomUUID } from 'node:crypto';
import { RejectedError, UnavailableError } from '../domain/errors';
import type { Registration } from '../domain/registration';
import { registrationOf, type User } from '../domain/stored-user';
import { INSERT_MISSING, INSERT_TIMEOUT_MS, insertValues } from './insert-missing';
import type { PostgresPool, Run } from './pool';
import { USER_COLUMNS } from './user-columns';

// No row where no registration is at fault: another encoding, or an id that is taken, as when a restore left the sequence
// behind the rows.
const MAY_BE_AT_FAULT = `
  SELECT WHERE current_setting('server_encoding') = 'UTF8' AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conrelid = 'users'::regclass AND contype = 'p' AND conname = $1)`;
const NEWEST = `SELECT ${USER_COLUMNS} FROM users ORDER BY users.id DESC LIMIT 1`;

/** Users.confirmRejection() */
export async function confirmRejection(
  pool: PostgresPool,
  registration: Registration,
  rejection: RejectedError,
): Promise<void> {
  // In one transaction: until it ends, the first INSERT's lock keeps any change of the table away from the second.
  const compare = (changes: Partial<Registration>): Promise<void> =>
    pool.transaction(INSERT_TIMEOUT_MS, async (run) => {
      await run('SET CONSTRAINTS ALL IMMEDIATE'); // Some are checked at the commit, which never comes here.
      if ((await run(MAY_BE_AT_FAULT, [rejection.constraint])).length === 0) throw rejection;
      const [newest] = await run<User>(NEWEST);
      const startedAt = performance.now();
      const like = newest === undefined ? registration : registrationOf(newest);
      const email = `${letters()}${like.email.slice(like.email.lastIndexOf('@'))}`;
      await insert(run, { ...like, email, ...changes });
      // Where even this takes long, the server may be to blame.
      if (rejection.isTimeout && performance.now() - startedAt > INSERT_TIMEOUT_MS / 2) throw rejection;
      const again = await insert(run, registration).catch((error: unknown) => error);
      if (again instanceof RejectedError) return; // PostgreSQL makes a rollback of this commit.
      throw again instanceof Error ? again : new UnavailableError('no longer rejected, so it is tried again');
    });
  try {
    await compare({});
  } catch (error) {
    if (!(error instanceof RejectedError) || error.isTimeout) throw error;
    // The names, say, may have to be unique, or are those of the registration in an empty table.
    await compare({ firstName: letters(), lastName: letters(), occupation: letters() });
  }
}

const insert = (run: Run, registration: Registration) => run(INSERT_MISSING, insertValues([registration]));

// Letters alone: what an address or a name may have to consist of.
function letters(): string {
  return randomUUID().replace(/[^a-f]/g, '');
}

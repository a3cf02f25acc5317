import { isErased, type Erasure, type Origin } from '../domain/erasure';
import { RejectedError, UnavailableError } from '../domain/errors';
import type { Registration } from '../domain/registration';
import type { User } from '../domain/stored-user';
import { Bulkhead } from '../runtime/bulkhead';
import { withTimeout } from '../runtime/timeout';
import type { PageRequest } from '../domain/pagination';
import type { Users, UsersPage } from '../services/ports/stores';
import { BatchedLookup } from './batched-lookup';
import { confirmRejection } from './confirm-rejection';
import { readErasures } from './erasures';
import { INSERT_MISSING, INSERT_TIMEOUT_MS, insertValues, SHARE_WRITER_LOCK } from './insert-missing';
import type { PostgresPool, Run } from './pool';
import { USER_COLUMNS } from './user-columns';
import { readUsersPage } from './users-page';

const LOOK_UP_TIMEOUT_MS = 500;
const LIST_TIMEOUT_MS = 3000;
// A page deep in a large table may take all the seconds that a statement has. Lists share the pool with the look-ups that
// decide registrations and with the writer: those always find most of it free.
const MAX_LISTS = 4;

/** The users table, by parameterized statements only. */
export class PostgresUsers implements Users {
  private readonly registered = new BatchedLookup((emails) =>
    within(LOOK_UP_TIMEOUT_MS, this.registeredOf(emails)),
  );
  private readonly users = new BatchedLookup((emails) => within(LOOK_UP_TIMEOUT_MS, this.usersOf(emails)));
  private readonly erasures = new BatchedLookup((emails) =>
    within(LOOK_UP_TIMEOUT_MS, this.findErasures(emails)),
  );
  private readonly lists = new Bulkhead({
    max: MAX_LISTS,
    waitMs: LIST_TIMEOUT_MS,
    onTimeout: () => new UnavailableError('too many lists are in flight'),
  });

  constructor(private readonly pool: PostgresPool) {}

  async isRegistered(email: string): Promise<boolean> {
    return (await read(LOOK_UP_TIMEOUT_MS, this.registered.find(email))) !== undefined;
  }

  findByEmail(email: string): Promise<User | undefined> {
    return read(LOOK_UP_TIMEOUT_MS, this.users.find(email));
  }

  findByEmails(emails: readonly string[]): Promise<User[]> {
    return this.pool.query<User>(`SELECT ${USER_COLUMNS} FROM users WHERE email = ANY($1::text[])`, [emails]);
  }

  list(page: PageRequest): Promise<UsersPage> {
    const listing = this.lists.run(() => readUsersPage(this.pool, page));
    return read(LIST_TIMEOUT_MS, listing);
  }

  async insertMissing(registrations: readonly (Registration & Origin)[]): Promise<Map<string, User>> {
    // Not thrown in there: the transaction may end in an orderly way, and its connection stay.
    const insert = (run: Run) => run<User>(INSERT_MISSING, insertValues(registrations)).catch(rejectionOf);
    const inserted = await this.pool.transaction(INSERT_TIMEOUT_MS, insert, SHARE_WRITER_LOCK);
    if (inserted instanceof RejectedError) throw inserted;
    const stored = new Map(inserted.map((user) => [user.email, user]));
    await this.addExisting(stored, registrations);
    return stored;
  }

  findErasure(email: string): Promise<Erasure | undefined> {
    return read(LOOK_UP_TIMEOUT_MS, this.erasures.find(email));
  }

  findErasures(emails: readonly string[]): Promise<Map<string, Erasure>> {
    return readErasures(this.pool, emails);
  }

  confirmRejection(registration: Registration, rejection: RejectedError): Promise<void> {
    return confirmRejection(this.pool, registration, rejection);
  }

  private async addExisting(
    stored: Map<string, User>,
    registrations: readonly (Registration & Origin)[],
  ): Promise<void> {
    const others = registrations.map(({ email }) => email).filter((email) => !stored.has(email));
    if (others.length === 0) return;
    for (const user of await this.findByEmails(others)) stored.set(user.email, user);
    const missing = registrations.filter(({ email }) => !stored.has(email));
    const erasures =
      missing.length > 0 ? await this.findErasures(missing.map(({ email }) => email)) : undefined;
    if (missing.some((each) => !isErased(each, erasures?.get(each.email)))) {
      throw new UnavailableError('a row was deleted between insert and read; the batch is tried again');
    }
  }

  private async registeredOf(emails: readonly string[]): Promise<Map<string, true>> {
    // Not a named statement: its generic plan, made while the table is empty, would read the whole table for hours.
    const sql = 'SELECT email FROM users WHERE email = ANY($1::text[])';
    const rows = await this.pool.query<{ email: string }>(sql, [emails]);
    return new Map(rows.map(({ email }) => [email, true]));
  }

  private async usersOf(emails: readonly string[]): Promise<Map<string, User>> {
    const users = await this.findByEmails(emails);
    return new Map(users.map((user) => [user.email, user]));
  }
}

// A request waits no longer; the statement itself ends by the pool's own limits.
function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const timeout = (): Error => new UnavailableError(`PostgreSQL did not respond within ${timeoutMs} ms`);
  return withTimeout(work, timeoutMs, timeout);
}

// A text has no form in the database's encoding (22), a right or a part of the schema is missing (42), or it took too long.
const NO_BUG = /^(22|42|57014)/;

/** A read for a request. What only PostgreSQL's set-up is to blame for counts as unavailability; the rest is a bug. */
async function read<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  try {
    return await within(timeoutMs, work);
  } catch (error) {
    if (!(error instanceof RejectedError) || !NO_BUG.test(error.sqlState)) throw error;
    throw new UnavailableError('PostgreSQL rejected the query', { cause: error });
  }
}

function rejectionOf(error: unknown): RejectedError {
  if (error instanceof RejectedError) return error;
  throw error;
}

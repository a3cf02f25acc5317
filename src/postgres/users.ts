import { UnavailableError } from '../domain/errors';
import type { Registration } from '../domain/registration';
import type { User } from '../domain/user';
import { Bulkhead } from '../runtime/bulkhead';
import { withTimeout } from '../runtime/timeout';
import type { PageRequest, Users, UsersPage } from '../services/ports/stores';
import { BatchedLookup } from './batched-lookup';
import type { PostgresPool } from './pool';
import { CREATED_AT, USER_COLUMNS } from './user-columns';
import { readUsersPage } from './users-page';

const LOOK_UP_TIMEOUT_MS = 500;
const LIST_TIMEOUT_MS = 3000;
// A page deep in a large table may take all the seconds that a statement has. Lists share the pool with the look-ups that
// decide registrations and with the writer: those always find most of it free.
const MAX_LISTS = 4;

// WHERE NOT EXISTS keeps known duplicates from burning ids; ON CONFLICT decides what is written at the same moment.
const INSERT_MISSING = `
  INSERT INTO users (first_name, last_name, email, gender, sex, occupation, created_at, updated_at)
  SELECT r.first_name, r.last_name, r.email, r.gender, r.sex, r.occupation,
    now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS r(first_name, last_name, email, gender, sex, occupation, position)
  WHERE NOT EXISTS (SELECT FROM users u WHERE u.email = r.email)
  ORDER BY r.position
  ON CONFLICT (email) DO NOTHING
  RETURNING id, email, ${CREATED_AT}`;

type InsertedRow = Pick<User, 'id' | 'email' | 'created_at'>;

/** The users table, by parameterized statements only. */
export class PostgresUsers implements Users {
  private readonly registered = new BatchedLookup((emails) =>
    within(LOOK_UP_TIMEOUT_MS, this.registeredOf(emails)),
  );
  private readonly users = new BatchedLookup((emails) => within(LOOK_UP_TIMEOUT_MS, this.usersOf(emails)));
  private readonly lists = new Bulkhead({
    max: MAX_LISTS,
    waitMs: LIST_TIMEOUT_MS,
    onTimeout: () => new UnavailableError('too many lists are in flight'),
  });

  constructor(private readonly pool: PostgresPool) {}

  async isRegistered(email: string): Promise<boolean> {
    return (await within(LOOK_UP_TIMEOUT_MS, this.registered.find(email))) !== undefined;
  }

  findByEmail(email: string): Promise<User | undefined> {
    return within(LOOK_UP_TIMEOUT_MS, this.users.find(email));
  }

  findByEmails(emails: readonly string[]): Promise<User[]> {
    return this.pool.query<User>(`SELECT ${USER_COLUMNS} FROM users WHERE email = ANY($1::text[])`, [emails]);
  }

  list(page: PageRequest): Promise<UsersPage> {
    const listing = this.lists.run(() => readUsersPage(this.pool, page));
    return within(LIST_TIMEOUT_MS, listing);
  }

  async insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>> {
    const inserted = await this.pool.query<InsertedRow>(INSERT_MISSING, toColumns(registrations));
    const rows = new Map(inserted.map((row) => [row.email, row]));
    const stored = new Map<string, User>();
    for (const registration of registrations) {
      const row = rows.get(registration.email);
      if (row !== undefined) stored.set(row.email, toUser(registration, row));
    }
    await this.addExisting(stored, registrations);
    return stored;
  }

  private async addExisting(
    stored: Map<string, User>,
    registrations: readonly Registration[],
  ): Promise<void> {
    const others = registrations.map(({ email }) => email).filter((email) => !stored.has(email));
    if (others.length === 0) return;
    for (const user of await this.findByEmails(others)) stored.set(user.email, user);
    if (others.some((email) => !stored.has(email))) {
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

// The other columns hold what was handed over: no need to send it back.
function toUser(registration: Registration, { id, email, created_at }: InsertedRow): User {
  const { firstName: first_name, lastName: last_name, gender, sex, occupation } = registration;
  return { id, first_name, last_name, email, gender, sex, occupation, created_at, updated_at: created_at };
}

function toColumns(registrations: readonly Registration[]): string[][] {
  return [
    registrations.map((each) => each.firstName),
    registrations.map((each) => each.lastName),
    registrations.map((each) => each.email),
    registrations.map((each) => each.gender),
    registrations.map((each) => each.sex),
    registrations.map((each) => each.occupation),
  ];
}

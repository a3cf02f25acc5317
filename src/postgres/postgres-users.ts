import DataLoader from 'dataloader';
import { UnavailableError } from '../domain/errors';
import type { Registration } from '../domain/registration';
import type { User } from '../domain/user';
import { withTimeout } from '../runtime/timeout';
import type { PagePosition, PageRequest, Users, UsersPage } from '../services/ports';
import type { PostgresPool } from './postgres-pool';

const LOOK_UP_TIMEOUT_MS = 500;
const LIST_TIMEOUT_MS = 3000;

// Times leave SQL as text: a TIMESTAMP has no zone, and the driver would read it in the process's own.
const utc = (column: string, seconds = 'SS.MS'): string =>
  `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:${seconds}"Z"') AS ${column}`;
const columns = (createdAt: string): string =>
  `id, first_name, last_name, email, gender, sex, occupation, ${createdAt}, ${utc('updated_at')}`;
const USER_COLUMNS = columns(utc('created_at'));

// In microseconds, which a position in the list needs.
const LIST_COLUMNS = columns(utc('created_at', 'SS.US'));
const BEHIND_POSITION = `(u.created_at, u.id) < (timestamp 'epoch' + $3::bigint * interval '1 microsecond', $4::int)`;

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
  RETURNING ${USER_COLUMNS}`;

/** The users table, by parameterized statements only. */
export class PostgresUsers implements Users {
  private readonly registered: DataLoader<string, boolean>;
  private readonly lookUps = new OneByOne();

  constructor(private readonly pool: PostgresPool) {
    this.registered = new DataLoader((emails) => this.areRegistered(emails), {
      cache: false,
      maxBatchSize: 500,
      batchScheduleFn: (lookUp) => this.lookUps.schedule(lookUp),
    });
  }

  isRegistered(email: string): Promise<boolean> {
    return within(LOOK_UP_TIMEOUT_MS, this.registered.load(email));
  }

  async findByEmail(email: string): Promise<User | undefined> {
    const [user] = await within(LOOK_UP_TIMEOUT_MS, this.findByEmails([email]));
    return user;
  }

  findByEmails(emails: readonly string[]): Promise<User[]> {
    return this.pool.query<User>(`SELECT ${USER_COLUMNS} FROM users WHERE email = ANY($1::text[])`, [emails]);
  }

  async list({ limit, offset, after }: PageRequest): Promise<UsersPage> {
    const behind = after === undefined ? '' : `WHERE ${BEHIND_POSITION}`;
    const sql = `SELECT ${LIST_COLUMNS} FROM users u ${behind} ORDER BY u.created_at DESC, u.id DESC LIMIT $1 OFFSET $2`;
    const position = after === undefined ? [] : [after.createdAtMicros, after.id];
    // One row more than asked for tells whether there are more.
    const asking = this.pool.query<User>(sql, [limit + 1, offset, ...position]);
    const rows = await within(LIST_TIMEOUT_MS, asking);
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return { users: page.map(inMilliseconds), next: last && positionOf(last) };
  }

  async insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>> {
    const inserted = await this.pool.query<User>(INSERT_MISSING, toColumns(registrations));
    const stored = new Map(inserted.map((user) => [user.email, user]));
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

  private async areRegistered(emails: readonly string[]): Promise<boolean[]> {
    // Not a named statement: its generic plan, made while the table is empty, would read the whole table for hours.
    const sql = 'SELECT email FROM users WHERE email = ANY($1::text[])';
    const asking = this.pool.query<{ email: string }>(sql, [emails]);
    // One that nobody waits for any more must not hold up the next.
    const rows = await within(LOOK_UP_TIMEOUT_MS, asking).finally(() => this.lookUps.endOne());
    const found = new Set(rows.map(({ email }) => email));
    return emails.map((email) => found.has(email));
  }
}

// A request waits no longer; the statement itself ends by the pool's own limits.
function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const timeout = (): Error => new UnavailableError(`PostgreSQL did not answer within ${timeoutMs} ms`);
  return withTimeout(work, timeoutMs, timeout);
}

const MICROSECONDS = /(\d{3})Z$/;

function inMilliseconds(row: User): User {
  return { ...row, created_at: row.created_at.replace(MICROSECONDS, 'Z') };
}

function positionOf({ created_at: createdAt, id }: User): PagePosition {
  const micros = Number(MICROSECONDS.exec(createdAt)?.[1]);
  return { createdAtMicros: Date.parse(createdAt.replace(MICROSECONDS, 'Z')) * 1000 + micros, id };
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

/**
 * Schedules DataLoader's batches: the first one when this turn of the event loop is through (each request comes in a
 * callback of its own), the next one when the one before has ended, with all that has gathered meanwhile.
 */
class OneByOne {
  private isBusy = false;
  private readonly waiting: (() => void)[] = [];

  schedule(run: () => void): void {
    if (this.isBusy) {
      this.waiting.push(run);
      return;
    }
    this.isBusy = true;
    setImmediate(run);
  }

  endOne(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.isBusy = false;
    else next();
  }
}

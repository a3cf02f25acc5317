import type { User } from '../domain/stored-user';
import type { PageCursor, PageRequest } from '../domain/pagination';
import type { UsersPage } from '../services/ports/stores';
import type { PostgresPool } from './pool';
import { LIST_COLUMNS } from './user-columns';

// Rows compared as one value: the index leads to the place at once.
const AFTER_CURSOR = `(u.created_at, u.id) < (timestamp 'epoch' + $3::bigint * interval '1 microsecond', $4::int)`;
// Rows without a time were made by hand, as the column allows, and DESC has them first.
const AFTER_ROW_WITHOUT_TIME = 'u.created_at IS NOT NULL OR u.id < $3';

type ListedRow = Omit<User, 'created_at'> & { readonly created_at: string | null };

/** Reads one page of the list, newest first. */
export async function readUsersPage(pool: PostgresPool, request: PageRequest): Promise<UsersPage> {
  const { limit, offset, after } = request;
  const { where, values } = keysetWhere(after);
  // One row more than asked for tells whether there are more.
  const rows = await pool.query<ListedRow>(
    `SELECT ${LIST_COLUMNS} FROM users u ${where} ORDER BY u.created_at DESC, u.id DESC LIMIT $1 OFFSET $2`,
    [limit + 1, offset, ...values],
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { users: page.map(inMilliseconds), next: last && cursorOf(last) };
}

function keysetWhere(position: PageCursor | undefined): { where: string; values: number[] } {
  if (position === undefined) return { where: '', values: [] };
  const { createdAtMicros, id } = position;
  if (createdAtMicros === null) return { where: `WHERE ${AFTER_ROW_WITHOUT_TIME}`, values: [id] };
  return { where: `WHERE ${AFTER_CURSOR}`, values: [createdAtMicros, id] };
}

const MICROSECONDS = /(\d{3})Z$/;

function inMilliseconds(row: ListedRow): User {
  return { ...row, created_at: row.created_at?.replace(MICROSECONDS, 'Z') ?? null } as User;
}

function cursorOf({ created_at: createdAt, id }: ListedRow): PageCursor {
  if (createdAt === null) return { createdAtMicros: null, id };
  const micros = Number(MICROSECONDS.exec(createdAt)?.[1]);
  return { createdAtMicros: Date.parse(createdAt.replace(MICROSECONDS, 'Z')) * 1000 + micros, id };
}

import type { PageCursor, PageRequest } from '../domain/pagination';
import type { User } from '../domain/stored-user';
import type { UsersPage } from '../services/ports/stores';
import type { PostgresPool } from './pool';
import { CREATED_AT_MICROS, USER_COLUMNS } from './user-columns';

const LIST_TIMEOUT_MS = 3000;
const MICROS_PER_DAY = 86_400_000_000n;
// An interval is multiplied as a float: days and the rest are exact, all microseconds at once would not be.
const FINITE_TIME = `timestamp 'epoch' + $4::bigint * interval '1 day' + $5::bigint * interval '1 microsecond'`;
// Rows compared as one value: the index leads to the place at once.
const after = (time: string): string => `WHERE (u.created_at, u.id) < (${time}, $3::bigint)`;
// Rows without a time were made by hand, as the column allows, and DESC has them first.
const AFTER_ROW_WITHOUT_TIME = 'WHERE u.created_at IS NOT NULL OR u.id < $3::bigint';

type ListedRow = User & { readonly created_at_micros: string | null };

/** Reads one page of the list, newest first, in 3 s at most. */
export async function readUsersPage(pool: PostgresPool, request: PageRequest): Promise<UsersPage> {
  const { limit, offset } = request;
  const { where, values } = keysetWhere(request.after);
  // One row more than asked for tells whether there are more.
  const rows = await pool.transaction(LIST_TIMEOUT_MS, (run) =>
    run<ListedRow>(
      `SELECT ${USER_COLUMNS}, ${CREATED_AT_MICROS} FROM users u ${where}
       ORDER BY u.created_at DESC, u.id DESC LIMIT $1 OFFSET $2`,
      [limit + 1, offset, ...values],
    ),
  );
  const listed = rows.map(({ created_at_micros: micros, ...user }) => ({ user, micros }));
  const last = listed.length > limit ? listed[limit - 1] : undefined;
  return {
    users: listed.slice(0, limit).map(({ user }) => user),
    next: last && { createdAtMicros: last.micros, id: last.user.id },
  };
}

function keysetWhere(position: PageCursor | undefined): { where: string; values: unknown[] } {
  if (position === undefined) return { where: '', values: [] };
  const { createdAtMicros: micros, id } = position;
  if (micros === null) return { where: AFTER_ROW_WITHOUT_TIME, values: [id] };
  if (micros.endsWith('infinity')) return { where: after('$4::timestamp'), values: [id, micros] };
  const [days, rest] = [BigInt(micros) / MICROS_PER_DAY, BigInt(micros) % MICROS_PER_DAY];
  return { where: after(FINITE_TIME), values: [id, Number(days), Number(rest)] };
}

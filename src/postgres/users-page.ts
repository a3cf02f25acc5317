import type { PageCursor, PageRequest } from '../domain/pagination';
import type { User } from '../domain/stored-user';
import type { UsersPage } from '../services/ports/stores';
import type { PostgresPool, Run } from './pool';
import { CREATED_AT_MICROS, USER_COLUMNS } from './user-columns';

const LIST_TIMEOUT_MS = 3000;
const MICROS_PER_DAY = 86_400_000_000n;
const BEFORE_ALL_IDS = '-9223372036854775808';

type Place = Pick<PageRequest, 'createdFrom' | 'createdBefore' | 'after'>;
type ListedRow = User & { readonly created_at_micros: string | null };

/** Reads one page of the list, newest first, and counts its window when asked to: 3 s at most for each. */
export function readUsersPage(pool: PostgresPool, request: PageRequest): Promise<UsersPage> {
  const { createdFrom, createdBefore, total } = request;
  return pool.transaction(LIST_TIMEOUT_MS, async (run) => {
    const page = await readPage(run, request);
    return { ...page, total: total && (await countUsers(run, { createdFrom, createdBefore })) };
  });
}

async function readPage(run: Run, { limit, offset, ...place }: PageRequest): Promise<UsersPage> {
  // One row more than asked for tells whether there are more.
  const values: unknown[] = [limit + 1, offset];
  const where = whereOf(place, values);
  const rows = await run<ListedRow>(
    `SELECT ${USER_COLUMNS}, ${CREATED_AT_MICROS} FROM users u ${where}
     ORDER BY u.created_at DESC, u.id DESC LIMIT $1 OFFSET $2`,
    values,
  );
  const listed = rows.map(({ created_at_micros: micros, ...user }) => ({ user, micros }));
  const last = listed.length > limit ? listed[limit - 1] : undefined;
  return {
    users: listed.slice(0, limit).map(({ user }) => user),
    next: last && { createdAtMicros: last.micros, id: last.user.id },
  };
}

async function countUsers(run: Run, window: Place): Promise<number> {
  const values: unknown[] = [];
  const where = whereOf(window, values);
  const [row] = await run<{ total: number }>(
    `SELECT count(*)::float8 AS total FROM users u ${where}`,
    values,
  );
  return row?.total ?? 0;
}

/** The condition of the rows that belong to this place of the list; adds the values that it names to `values`. */
function whereOf({ createdFrom, createdBefore, after }: Place, values: unknown[]): string {
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const from = createdFrom && `u.created_at >= ${bind(createdFrom)}::timestamp`;
  const before = createdBefore && `${bind(createdBefore)}::timestamp`;
  const conditions = [from, upperBound(bind, before, after)].filter((each) => each !== undefined);
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
}

function upperBound(
  bind: (value: unknown) => string,
  before: string | undefined,
  after: PageCursor | undefined,
): string | undefined {
  const inWindow = before && `u.created_at < ${before}`;
  if (after === undefined) return inWindow;
  // Rows without a time were made by hand, as the column allows. DESC has them first, and no window has them.
  if (after.createdAtMicros === null)
    return inWindow ?? `(u.created_at IS NOT NULL OR u.id < ${bind(after.id)}::bigint)`;
  const time = timestamp(bind, after.createdAtMicros);
  const id = `${bind(after.id)}::bigint`;
  // Rows compared as one value: the index leads to the place at once. With a second bound it would lead to that one, and
  // PostgreSQL would read all in between.
  if (before === undefined) return `(u.created_at, u.id) < (${time}, ${id})`;
  const idInWindow = `CASE WHEN ${time} < ${before} THEN ${id} ELSE ${BEFORE_ALL_IDS} END`;
  return `(u.created_at, u.id) < (least(${time}, ${before}), ${idInWindow})`;
}

function timestamp(bind: (value: unknown) => string, micros: string): string {
  if (micros.endsWith('infinity')) return `${bind(micros)}::timestamp`;
  // An interval is multiplied as a float: days and the rest are exact, all microseconds at once would not be.
  const [days, rest] = [BigInt(micros) / MICROS_PER_DAY, BigInt(micros) % MICROS_PER_DAY];
  return `(timestamp 'epoch' + ${bind(Number(days))}::bigint * interval '1 day'
    + ${bind(Number(rest))}::bigint * interval '1 microsecond')`;
}

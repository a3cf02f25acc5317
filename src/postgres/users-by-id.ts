import type { User } from '../domain/stored-user';
import type { PostgresPool } from './pool';
import { USER_COLUMNS } from './user-columns';

const TIMEOUT_MS = 10_000;

/** Up to `limit` users from this id on, in the order of their ids. May reject with UnavailableError. */
export function readUsersFrom(pool: PostgresPool, id: number, limit: number): Promise<User[]> {
  const sql = `SELECT ${USER_COLUMNS} FROM users u WHERE u.id >= $1::bigint ORDER BY u.id LIMIT $2`;
  return pool.transaction(TIMEOUT_MS, (run) => run<User>(sql, [id, limit]));
}

import type { PostgresPool } from './pool';

const OLDER = `FROM users WHERE created_at < $1::timestamptz AT TIME ZONE 'UTC'`;
const OLDEST = `${OLDER} ORDER BY created_at LIMIT $2`;
const SELECT_OLDEST = `SELECT email ${OLDEST}`;
const DELETE_OLDEST = `DELETE FROM users WHERE id IN (SELECT id ${OLDEST}) RETURNING email`;
const TIMEOUT_MS = 10_000;

/** Rows that were created before a time, by PostgreSQL's clock. Every method may reject with UnavailableError. */
export class PostgresExpiredUsers {
  constructor(private readonly pool: PostgresPool) {}

  async count(before: Date): Promise<number> {
    const [row] = await this.pool.query<{ n: number }>(`SELECT count(*)::float8 AS n ${OLDER}`, [before]);
    return row?.n ?? 0;
  }

  /** The emails of the oldest. */
  async oldest(before: Date, limit: number): Promise<string[]> {
    const rows = await this.pool.query<{ email: string }>(SELECT_OLDEST, [before, limit]);
    return rows.map(({ email }) => email);
  }

  /** Deletes the oldest 500, unless `uncache` rejects, and resolves to how many there were. */
  deleteOldest(before: Date, uncache: (emails: readonly string[]) => Promise<void>): Promise<number> {
    return this.pool.transaction(TIMEOUT_MS, async (run) => {
      const rows = await run<{ email: string }>(DELETE_OLDEST, [before, 500]);
      await uncache(rows.map(({ email }) => email));
      return rows.length;
    });
  }
}

import type { PostgresPool } from '../../../src/postgres/pool';
import { PostgresUsers } from '../../../src/postgres/users';
import type { PageCursor } from '../../../src/domain/pagination';
import { sql, type Env } from '../../../tests/support/test-servers';

interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

/** How PostgreSQL answers the statements that the service sends for its reads. */
export async function explainReads(
  env: Env,
  email: string,
  limit: number,
  deep: readonly PageCursor[],
): Promise<string[]> {
  const plans: string[] = [];
  for (const { text, values } of await recordReads(email, limit, deep)) {
    const lines = await sql(env, `EXPLAIN (ANALYZE, BUFFERS) ${text}`, values);
    const plan = lines.map((line) => `  ${String(line['QUERY PLAN'])}`);
    plans.push(text, `  ${JSON.stringify(values)}`, ...plan);
  }
  return plans;
}

async function recordReads(email: string, limit: number, deep: readonly PageCursor[]): Promise<Statement[]> {
  const statements: Statement[] = [];
  const pool: Pick<PostgresPool, 'query' | 'transaction'> = {
    query(text, values) {
      statements.push({ text, values });
      return Promise.resolve([]);
    },
    transaction: (_timeoutMs, work) => work((text, values = []) => pool.query(text, values)),
  };
  // Reads take nothing else of the pool.
  const users = new PostgresUsers(pool as PostgresPool);
  await users.isRegistered(email);
  await users.findByEmail(email);
  await users.list({ limit, offset: 0 });
  for (const after of deep) await users.list({ limit, offset: 0, after });
  return statements;
}

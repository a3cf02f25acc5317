import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PageCursor } from '../../../src/domain/pagination';
import { sql, type Env } from '../../../tests/support/test-servers';
import { localDir } from '../../local-stack/paths';

/** Maximum of rows that share one created_at, as after an import; the others are a second apart. */
const maxTies = 100_000;
const deepPositions = 10;
const aside = 'users_aside';

/** A table like users with `rows` rows, beside it in the contender's database. */
export class GrownTable {
  readonly prefix = 'growth';
  private readonly name: string;
  private readonly ties: number;

  private constructor(
    private readonly env: Env,
    readonly rows: number,
  ) {
    this.name = `users_${rows}`;
    this.ties = Math.min(maxTies, rows / 10);
  }

  static async create(env: Env, rows: number): Promise<GrownTable> {
    const table = new GrownTable(env, rows);
    await sql(env, `CREATE TABLE ${table.name} (LIKE users INCLUDING ALL)`);
    await table.fill();
    await sql(env, `VACUUM ANALYZE ${table.name}`);
    return table;
  }

  /**
   * Lets this table be `users` while `use` runs. The service plans its statements each time, so they find the table that
   * has the name; nothing may be written meanwhile.
   */
  async asUsers<T>(use: () => Promise<T>): Promise<T> {
    await rename(this.env, ['users', aside], [this.name, 'users']);
    try {
      return await use();
    } finally {
      await rename(this.env, ['users', this.name], [aside, 'users']);
    }
  }

  email(nth: number): string {
    return `${this.prefix}-${nth}@example.com`;
  }

  /** Of rows all over the table, and as many of rows among the ties. Only while it is `users`. */
  async deepPositions(): Promise<PageCursor[]> {
    const shares = Array.from({ length: deepPositions / 2 }, (_, nth) => (nth + 1) / (deepPositions / 2 + 1));
    const numbers = shares.flatMap((share) => [this.rows * share, this.rows / 2 + this.ties * share]);
    const rows = await sql(
      this.env,
      `SELECT (extract(epoch FROM created_at) * 1000000)::bigint::text AS micros, id FROM users WHERE email = ANY($1)`,
      [numbers.map((nth) => this.email(Math.floor(nth)))],
    );
    return rows.map(({ micros, id }) => ({ createdAtMicros: String(micros), id: Number(id) }));
  }

  async drop(): Promise<void> {
    await sql(this.env, `DROP TABLE ${this.name}`);
  }

  // The server writes and reads the file itself.
  private async fill(): Promise<void> {
    const folder = join(localDir, 'bench');
    const file = join(folder, `${this.name}.copy`);
    const half = this.rows / 2;
    await mkdir(folder, { recursive: true });
    try {
      await sql(
        this.env,
        `COPY (
           SELECT 'John', 'Doe', '${this.prefix}-' || n || '@example.com', 'male', 'male', 'Reader',
             timestamp '2020-01-01' + interval '1 second' * CASE WHEN n > ${half} THEN greatest(n, ${half + this.ties}) ELSE n END
           FROM generate_series(0, ${this.rows - 1}) n
         ) TO '${file}'`,
      );
      const columns = 'first_name, last_name, email, gender, sex, occupation, created_at';
      await sql(this.env, `COPY ${this.name} (${columns}) FROM '${file}'`);
    } finally {
      await rm(file, { force: true });
    }
  }
}

/** In one transaction: concurrent statements wait, and find the one table or the other. */
async function rename(env: Env, ...names: readonly (readonly [from: string, to: string])[]): Promise<void> {
  await sql(env, names.map(([from, to]) => `ALTER TABLE ${from} RENAME TO ${to}`).join(';'));
}

import type { User } from '../domain/stored-user';

const COLUMNS = [
  'id',
  'first_name',
  'last_name',
  'email',
  'gender',
  'sex',
  'occupation',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof User)[];

// What makes a spreadsheet take a cell for a formula.
const FORMULA = /^[=+\-@\t\r]/;

/** The header line of users in CSV. */
export const CSV_HEADER = `${COLUMNS.join(',')}\r\n`;

/**
 * A user as a line of CSV (RFC 4180); what is null is an empty cell. Unless `raw`, a cell that a spreadsheet would run begins
 * with an apostrophe, which shows it as text. By hand: the two rules are shorter than what a package would need around it.
 */
export function csvLine(user: User, raw: boolean): string {
  const cells = COLUMNS.map((column) => {
    const text = String((user[column] as string | number | null) ?? '');
    const safe = !raw && FORMULA.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${cells.join(',')}\r\n`;
}

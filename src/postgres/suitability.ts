import { DatabaseError } from 'pg';
import { RejectedError, UnsuitableServerError } from '../domain/errors';
import { FILLED_COLUMNS, INSERT_NOTHING } from './insert-missing';
import { USER_COLUMNS } from './user-columns';

// What the INSERT of no row does not show, as a hint; in ASCII, which every encoding has. Rows that are hidden make a stored
// email look free. A trigger before the INSERT may fill a column.
const PROBLEM = `
  SELECT CASE
    WHEN current_setting('server_version_num')::int < 150000
      THEN format('PostgreSQL must be version 15 or newer, not %s', current_setting('server_version'))
    WHEN current_setting('server_encoding') <> 'UTF8' THEN format(
      'the database in DB_NAME must be in UTF8, not %s: create one with ENCODING ''UTF8'' TEMPLATE template0',
      current_setting('server_encoding'))
    WHEN row_security_active('users') AND NOT EXISTS (
      SELECT FROM pg_policy p WHERE p.polrelid = a.attrelid AND p.polcmd = '*' AND pg_get_expr(p.polqual, a.attrelid) = 'true')
      THEN 'row level security hides rows of users from DB_USER: ALTER ROLE ... BYPASSRLS'
    WHEN a.attidentity = '' AND NOT has_sequence_privilege(s.seqrelid, 'USAGE, UPDATE')
      THEN format('DB_USER may not use the ids of users: GRANT USAGE ON SEQUENCE %s TO it', s.seqrelid::regclass)
    WHEN NOT s.seqcycle AND CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') THEN pg_sequence_last_value(s.seqrelid) END
      > least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE s.seqmax END)
        - s.seqincrement
      THEN format('the ids of users are used up: ALTER TABLE users ALTER COLUMN id TYPE bigint; ALTER SEQUENCE %s AS bigint',
        s.seqrelid::regclass)
    ELSE (
      SELECT format('nothing fills the column %I of users, which is NOT NULL: give it a DEFAULT', min(c.attname::text))
      FROM pg_attribute c JOIN pg_type t ON t.oid = c.atttypid
      WHERE c.attrelid = a.attrelid AND c.attnum > 0 AND NOT c.attisdropped AND (c.attnotnull OR t.typnotnull)
        AND NOT c.atthasdef AND c.attidentity = '' AND t.typdefault IS NULL AND c.attname <> ALL ('{${FILLED_COLUMNS}}')
        AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = a.attrelid AND g.tgtype & 7 = 7)
      HAVING count(*) > 0)
    END AS problem
  FROM pg_attribute a LEFT JOIN pg_sequence s ON s.seqrelid = CASE
    WHEN a.attidentity <> '' THEN (SELECT d.objid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
      AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'i')
    ELSE (SELECT d.refobjid FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
      JOIN pg_class q ON q.oid = d.refobjid AND q.relkind = 'S' WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum) END
  WHERE a.attrelid = 'users'::regclass AND a.attname = 'id'`;

// Of a process that erases. Its other rights would only be missed when somebody is erased.
const ERASING_PROBLEM = `
  SELECT 'DB_USER may not erase: GRANT DELETE ON users, and SELECT, INSERT, UPDATE, DELETE ON erasures, TO it' AS problem
  WHERE NOT (has_table_privilege('users', 'DELETE') AND has_table_privilege('erasures', 'SELECT')
    AND has_table_privilege('erasures', 'INSERT') AND has_table_privilege('erasures', 'UPDATE')
    AND has_table_privilege('erasures', 'DELETE'))`;

/**
 * Does what the service does, in one round trip: reads every column and, where it writes, inserts no row by the very
 * statement, which takes every right on the table, the unique index and a transaction that may write, and uses up no ids.
 * Rolled back, since a trigger may do more. A row with a `problem` that is not null says what keeps it from its work.
 */
export function suitabilityCheck(writes: boolean, erases: boolean): string {
  return `BEGIN; SET LOCAL statement_timeout = 1000; SET LOCAL lock_timeout = 500;
    SELECT ${USER_COLUMNS} FROM users LIMIT 0; ${writes ? `${INSERT_NOTHING}; ${PROBLEM};` : ''}
    ${erases ? `${ERASING_PROBLEM};` : ''} ROLLBACK`;
}

const HINTS: Readonly<Record<string, string>> = {
  '25006': 'DB_HOST must lead to a primary with default_transaction_read_only off: this server is read-only',
  '55P03': 'another session has locked users, see pg_locks: nothing is stored until it ends',
  '42501': 'DB_USER lacks a right: GRANT SELECT ON erasures and GRANT SELECT, INSERT ON users TO it',
  '42703': 'users lacks a column: run `npm run migrate`, or undo what has renamed or dropped it',
  '42P01': 'DB_USER does not see the table: run `npm run migrate`, or GRANT USAGE ON its SCHEMA TO that user',
  '42P10': 'users has lost the unique index on email: CREATE UNIQUE INDEX users_email_key ON users (email)',
};

/** What to do when a suitabilityCheck() failed, which holds no data to be quoted; any other error as it is. */
export function hinted(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof DatabaseError)) return error;
  const { code = '', message } = cause;
  const hint = HINTS[code] ?? (error instanceof RejectedError ? 'users takes no INSERT' : undefined);
  return hint === undefined ? error : new UnsuitableServerError(`${hint} (SQLSTATE ${code}: ${message})`);
}

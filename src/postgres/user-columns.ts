const TIME = 'MM-DD"T"HH24:MI:SS.MS"Z"';
const SIGNED_YEAR = 'SG000000';

// Times leave SQL as text: a TIMESTAMP has no zone, and the driver would read it in the process's own. Years that have no
// four digits as ISO 8601 has them, with a sign and six; 'infinity' and '-infinity' as they are.
const utc = (column: string): string => `
  CASE WHEN ${column} >= '0001-01-01' AND ${column} < '10000-01-01' THEN to_char(${column}, 'YYYY-${TIME}')
    WHEN isfinite(${column}) THEN
      to_char(extract(year FROM ${column}) + (${column} < '0001-01-01')::int, '${SIGNED_YEAR}') || to_char(${column}, '-${TIME}')
    ELSE ${column}::text END AS ${column}`;

/** What a statement names to get rows as User. The driver has no numbers for a bigint, which the id may have become. */
export const USER_COLUMNS = `id::float8 AS id, first_name, last_name, email, gender, sex, occupation,
  ${utc('created_at')}, ${utc('updated_at')}`;

/** PageCursor's createdAtMicros. By day and time of day: the epoch of a time in the last years is no exact one. */
export const CREATED_AT_MICROS = `
  CASE WHEN isfinite(created_at) THEN trim_scale((created_at::date - date 'epoch') * 86400000000::numeric
    + extract(epoch FROM created_at::time) * 1000000)::text ELSE created_at::text END AS created_at_micros`;

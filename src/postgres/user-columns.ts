// Times leave SQL as text: a TIMESTAMP has no zone, and the driver would read it in the process's own.
const utc = (column: string, seconds: 'SS.MS' | 'SS.US'): string =>
  `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:${seconds}"Z"') AS ${column}`;
const columns = (createdAt: string): string =>
  `id, first_name, last_name, email, gender, sex, occupation, ${createdAt}, ${utc('updated_at', 'SS.MS')}`;

/** created_at as User has it. */
export const CREATED_AT = utc('created_at', 'SS.MS');

/** What a statement names to get rows as User. */
export const USER_COLUMNS = columns(CREATED_AT);

/** The same with created_at in microseconds, which a position in the list needs. */
export const LIST_COLUMNS = columns(utc('created_at', 'SS.US'));

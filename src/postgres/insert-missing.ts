import type { Registration } from '../domain/registration';
import { USER_COLUMNS } from './user-columns';

/** How long the server works on the INSERT of one batch. */
export const INSERT_TIMEOUT_MS = 10_000;

/** The columns that the service fills; the database fills the others. */
export const FILLED_COLUMNS = 'first_name, last_name, email, gender, sex, occupation, created_at, updated_at';

/**
 * Inserts the registrations whose email has no row. WHERE NOT EXISTS keeps known duplicates from burning ids; ON CONFLICT
 * decides what is written at the same moment. Values: insertValues().
 */
export const INSERT_MISSING = `
  INSERT INTO users (${FILLED_COLUMNS})
  SELECT r.first_name, r.last_name, r.email, r.gender, r.sex, r.occupation,
    now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS r(first_name, last_name, email, gender, sex, occupation, position)
  WHERE NOT EXISTS (SELECT FROM users u WHERE u.email = r.email)
  ORDER BY r.position
  ON CONFLICT (email) DO NOTHING
  RETURNING ${USER_COLUMNS}`;

/** The same for no registration. Without parameters, to be one of several statements of a query. */
export const INSERT_NOTHING = INSERT_MISSING.replace(/\$\d/g, `'{}'`);

const FIELDS = ['firstName', 'lastName', 'email', 'gender', 'sex', 'occupation'] as const;

export function insertValues(registrations: readonly Registration[]): string[][] {
  return FIELDS.map((field) => registrations.map((each) => each[field]));
}

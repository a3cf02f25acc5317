import { CLOCK_MARGIN_MS, type Origin } from '../domain/erasure';
import type { Registration } from '../domain/registration';
import { USER_COLUMNS } from './user-columns';

/** How long the server works on the INSERT of one batch. */
export const INSERT_TIMEOUT_MS = 10_000;

/** An advisory lock: writers share it, an erasure has it alone. Any number that is no other lock's. */
export const WRITER_LOCK = 5_003_121_945;

// Before the INSERT: one whose snapshot is older than an erasure would commit the row behind its DELETE.
/** What a transaction with INSERT_MISSING begins with. */
export const SHARE_WRITER_LOCK = `SELECT pg_advisory_xact_lock_shared(${WRITER_LOCK})`;

/** The columns that the service fills; the database fills the others. */
export const FILLED_COLUMNS = 'first_name, last_name, email, gender, sex, occupation, created_at, updated_at';

// isErased() in SQL; null without an erasure. As a scalar it is one look-up for each row: for a NOT EXISTS PostgreSQL may
// read the whole table.
const WAS_ERASED = `
  SELECT coalesce(to_timestamp(r.accepted_ms / 1000) - e.erased_at, interval '0') < interval '${CLOCK_MARGIN_MS} milliseconds'
    * CASE WHEN r.event_id = ANY (e.event_ids) THEN 1 ELSE -1 END
  FROM erasures e WHERE e.email_sha256 = sha256(convert_to(r.email, 'UTF8'))`;

/**
 * Inserts the registrations whose email has no row, unless they were made before it was erased. WHERE NOT EXISTS keeps
 * known duplicates from burning ids; ON CONFLICT decides what is written at the same moment. Values: insertValues().
 */
export const INSERT_MISSING = `
  INSERT INTO users (${FILLED_COLUMNS})
  SELECT r.first_name, r.last_name, r.email, r.gender, r.sex, r.occupation,
    now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
      $7::text[], $8::float8[])
    WITH ORDINALITY AS r(first_name, last_name, email, gender, sex, occupation, event_id, accepted_ms, position)
  WHERE NOT EXISTS (SELECT FROM users u WHERE u.email = r.email)
    AND (${WAS_ERASED}) IS NOT TRUE
  ORDER BY r.position
  ON CONFLICT (email) DO NOTHING
  RETURNING ${USER_COLUMNS}`;

/** The same for no registration. Without parameters, to be one of several statements of a query. */
export const INSERT_NOTHING = INSERT_MISSING.replace(/\$\d/g, `'{}'`);

const FIELDS = ['firstName', 'lastName', 'email', 'gender', 'sex', 'occupation'] as const;

export function insertValues(registrations: readonly (Registration & Origin)[]): unknown[][] {
  return [
    ...FIELDS.map((field) => registrations.map((each) => each[field])),
    registrations.map(({ eventId }) => eventId ?? null),
    registrations.map(({ acceptedAtMs }) => acceptedAtMs ?? null),
  ];
}

import { DatabaseError } from 'pg';
import { UnavailableError, UnstorableError } from '../domain/errors';

/**
 * What an SQLSTATE means for the statement that met it (PostgreSQL manual, appendix A): `permanent`: this data can
 * never be stored; `transient`: the server, its state or its set-up is at fault, the same statement may work later.
 * A whole code goes before its class. What is not listed is a bug of ours: like a transient error it is tried again, never skipped.
 */
const MEANINGS: Readonly<Record<string, 'permanent' | 'transient'>> = {
  '08': 'transient', // connection lost
  '22': 'permanent', // no valid value: too long, a NUL, out of range
  '23': 'permanent', // a constraint says no
  // Not an email, which ON CONFLICT handles: an id exists, as when a restore left the sequence too low.
  '23505': 'transient',
  '25': 'transient', // read-only: a standby before its promotion
  '28': 'transient', // wrong password or no entry in pg_hba.conf
  '3D': 'transient', // no such database
  '40': 'transient', // serialization failure, deadlock
  '42501': 'transient', // a right is missing
  '42P01': 'transient', // a table that the migration has not made yet
  '42703': 'transient', // the same for a column
  '53': 'transient', // out of memory, disk or connections
  '54': 'permanent', // too large for a row or an index
  '55': 'transient', // locked, or not in the state for it
  '57': 'transient', // cancelled, shutting down, starting up
  '58': 'transient', // the server's disk
  F0: 'transient', // the server's configuration file
  P0: 'permanent', // raised by a trigger
  XX: 'transient', // internal error
};

/** Says in the domain's words what a failed statement means; what is neither (a bug) is returned as it is. */
export function translatePostgresError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return isBug(error) ? error : unavailable(error);
  const code = error.code ?? '';
  switch (MEANINGS[code] ?? MEANINGS[code.slice(0, 2)]) {
    case 'permanent':
      return new UnstorableError(`PostgreSQL rejected the data (SQLSTATE ${code})`, { cause: error });
    case 'transient':
      return unavailable(error);
    case undefined:
      return error;
  }
}

// What pg throws without an SQLSTATE is about the connection: refused, reset, terminated, timed out.
function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof UnavailableError;
}

function unavailable(cause: unknown): UnavailableError {
  return new UnavailableError('PostgreSQL is unavailable', { cause });
}

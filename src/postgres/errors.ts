import { DatabaseError } from 'pg';
import { UnavailableError, UnstorableError } from '../domain/errors';

/**
 * What an SQLSTATE means for the statement that met it (PostgreSQL manual, appendix A): `refused`: this data can never
 * be stored; `away`: the server, its state or its set-up is at fault, the same statement may work later.
 * A whole code goes before its class. What is not listed is a bug of ours: like `away` it is tried again, never skipped.
 */
const MEANINGS: Readonly<Record<string, 'refused' | 'away'>> = {
  '08': 'away', // connection lost
  '22': 'refused', // no valid value: too long, a NUL, out of range
  '23': 'refused', // a constraint says no
  // Of an e-mail it never gets here (ON CONFLICT): an id is taken, as when a restore left the sequence behind the rows.
  '23505': 'away',
  '25': 'away', // read-only: a standby before its promotion
  '28': 'away', // wrong password or no entry in pg_hba.conf
  '3D': 'away', // no such database
  '40': 'away', // serialization failure, deadlock
  '42501': 'away', // a right is missing
  '42P01': 'away', // a table that the migration has not made yet
  '42703': 'away', // the same for a column
  '53': 'away', // out of memory, disk or connections
  '54': 'refused', // too large for a row or an index
  '55': 'away', // locked, or not in the state for it
  '57': 'away', // cancelled, shutting down, starting up
  '58': 'away', // the server's disk
  F0: 'away', // the server's configuration file
  P0: 'refused', // raised by a trigger
  XX: 'away', // internal error
};

/** Says in the domain's words what a failed statement means; what is neither (a bug) is returned as it is. */
export function translatePostgresError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return isBug(error) ? error : unavailable(error);
  const code = error.code ?? '';
  switch (MEANINGS[code] ?? MEANINGS[code.slice(0, 2)]) {
    case 'refused':
      return new UnstorableError(`PostgreSQL refused the data (SQLSTATE ${code})`, { cause: error });
    case 'away':
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
  return new UnavailableError('PostgreSQL is away', { cause });
}

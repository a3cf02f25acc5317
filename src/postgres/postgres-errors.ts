import { DatabaseError } from 'pg';
import { UnavailableError, UnstorableError } from '../domain/errors';

// SQLSTATE classes (PostgreSQL manual, appendix A). The data itself is refused: trying again cannot help.
const REFUSED_DATA = new Set(['22', '23', '54', 'P0']);

// The server, its state or its set-up is at fault: the same statement may work later. 42P01 is a table that the
// migration has not made yet; 3D, 28 and 42501 are a missing database, a wrong password and a missing right.
const TRANSIENT_CLASSES = new Set(['08', '25', '28', '3D', '40', '53', '55', '57', '58', 'XX']);
const TRANSIENT_CODES = new Set(['42P01', '42501']);

/** Says in the domain's words what a failed statement means; what is neither (a bug) is returned as it is. */
export function translatePostgresError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return isBug(error) ? error : unavailable(error);
  const code = error.code ?? '';
  if (REFUSED_DATA.has(code.slice(0, 2))) {
    return new UnstorableError(`PostgreSQL refused the data (SQLSTATE ${code})`, { cause: error });
  }
  const isTransient = TRANSIENT_CLASSES.has(code.slice(0, 2)) || TRANSIENT_CODES.has(code);
  return isTransient ? unavailable(error) : error;
}

// What pg throws without an SQLSTATE is about the connection: refused, reset, terminated, timed out.
function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof UnavailableError;
}

function unavailable(cause: unknown): UnavailableError {
  return new UnavailableError('PostgreSQL is away', { cause });
}

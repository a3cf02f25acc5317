import { DatabaseError } from 'pg';
import { RejectedError, UnavailableError, UnsuitableServerError } from '../domain/errors';

/**
 * What a server says of itself, its load or the moment (PostgreSQL manual, appendix A): the connection or the session (08,
 * 25P, 28, 3D), a deadlock or serialization failure (40), memory, disk or connections (53), a lock (55P03), a shutdown (57;
 * not 57014, a statement that took too long), its files (58, F0, XX001, XX002). Anything else may be about the statement.
 */
const OF_THE_SERVER = /^(08|25P|28|3D|40|53|55P03|57(?!014)|58|F0|XX00[12])/;

const OURS = [TypeError, RangeError, UnavailableError, RejectedError, UnsuitableServerError];

/** Says in the domain's words what a failed statement means; what is neither (a bug) is returned as it is. */
export function translatePostgresError(error: unknown): unknown {
  if (OURS.some((known) => error instanceof known)) return error;
  // What pg throws without an SQLSTATE is about the connection: refused, reset, terminated, timed out.
  if (!(error instanceof DatabaseError) || OF_THE_SERVER.test(error.code ?? ''))
    return new UnavailableError('PostgreSQL is unavailable', { cause: error });
  return new RejectedError(error.code ?? '', error.constraint ?? error.column, { cause: error });
}

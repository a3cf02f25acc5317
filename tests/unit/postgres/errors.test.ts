import { DatabaseError } from 'pg';
import { RejectedError, UnavailableError } from '../../../src/domain/errors';
import { translatePostgresError } from '../../../src/postgres/errors';

function databaseError(code: string, fields: Partial<DatabaseError> = {}): DatabaseError {
  return Object.assign(new DatabaseError('message', 1, 'error'), { code, ...fields });
}

describe('translatePostgresError', () => {
  it.each([
    ['08006', 'connection failure'],
    ['08P01', 'a pooler: no server connection, query_wait_timeout, max_client_conn'],
    ['25P03', 'session ended in an idle transaction'],
    ['28000', 'rejected by pg_hba.conf'],
    ['28P01', 'wrong password'],
    ['3D000', 'no such database'],
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock'],
    ['53100', 'disk full'],
    ['53300', 'too many connections'],
    ['55P03', 'lock not available'],
    ['57P01', 'terminated by an administrator'],
    ['57P03', 'starting up'],
    ['58030', 'I/O error'],
    ['F0000', 'broken configuration file'],
    ['XX002', 'corrupted index'],
  ])('%s (%s): the server speaks of itself', (code) => {
    const error = databaseError(code);

    expect(translatePostgresError(error)).toMatchObject({ constructor: UnavailableError, cause: error });
  });

  it.each([
    ['22001', 'too long'],
    ['22P05', 'not in the database’s encoding'],
    ['2200H', 'the sequence is at its end'],
    ['23505', 'unique'],
    ['25006', 'read-only transaction'],
    ['38000', 'raised by a function in another language'],
    ['42501', 'no right'],
    ['42601', 'syntax error'],
    ['42P01', 'no such table'],
    ['54000', 'too large for an index'],
    ['55000', 'raised by whoever likes it'],
    ['P0001', 'raised by a trigger'],
    ['XX000', 'raised in PL/Perl'],
    ['U0001', 'a code of their own'],
  ])('%s (%s): rejected, whoever is at fault', (code) => {
    const error = databaseError(code);

    expect(translatePostgresError(error)).toMatchObject({
      constructor: RejectedError,
      sqlState: code,
      isTimeout: false,
      cause: error,
    });
  });

  it('takes an error without a code for a rejection', () => {
    const error = new DatabaseError('message', 1, 'error');

    expect(translatePostgresError(error)).toMatchObject({ constructor: RejectedError, sqlState: '' });
  });

  it('knows a statement that took too long', () => {
    expect(translatePostgresError(databaseError('57014'))).toMatchObject({
      sqlState: '57014',
      isTimeout: true,
    });
  });

  it.each([
    [{ constraint: 'no_eve' }, 'no_eve'],
    [{ column: 'tenant' }, 'tenant'],
  ])('names the constraint or the column, and no data: %j', (fields, name) => {
    const error = translatePostgresError(databaseError('23502', { ...fields, detail: 'Failing row: Eve' }));

    expect(error).toMatchObject({
      constraint: name,
      message: `PostgreSQL rejects it (SQLSTATE 23502, ${name})`,
    });
  });

  it.each([
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
    Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }),
    Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
  ])('%s: the connection', (error) => {
    expect(translatePostgresError(error)).toMatchObject({ constructor: UnavailableError, cause: error });
  });

  it.each([
    new TypeError('bug'),
    new RangeError('bug'),
    new RejectedError('23514'),
    new UnavailableError('unavailable'),
  ])('%s: stays what it is', (error) => {
    expect(translatePostgresError(error)).toBe(error);
  });
});

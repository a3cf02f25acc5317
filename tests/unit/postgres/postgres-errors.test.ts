import { DatabaseError } from 'pg';
import { UnavailableError, UnstorableError } from '../../../src/domain/errors';
import { translatePostgresError } from '../../../src/postgres/postgres-errors';

function databaseError(code: string): DatabaseError {
  return Object.assign(new DatabaseError('message', 1, 'error'), { code });
}

describe('translatePostgresError', () => {
  it.each([
    ['22001', 'too long'],
    ['22021', 'not in this encoding'],
    ['22P05', 'not in the database’s encoding'],
    ['23502', 'null'],
    ['23503', 'foreign key'],
    ['23514', 'check'],
    ['23P01', 'exclusion'],
    ['54000', 'too large for an index'],
    ['P0001', 'raised by a trigger'],
  ])('%s (%s): the data can never be stored', (code) => {
    const error = databaseError(code);

    expect(translatePostgresError(error)).toMatchObject({ constructor: UnstorableError, cause: error });
  });

  it.each([
    ['08006', 'connection failure'],
    ['23505', 'id taken: sequence behind the rows'],
    ['25006', 'read-only transaction'],
    ['28000', 'refused by pg_hba.conf'],
    ['28P01', 'wrong password'],
    ['3D000', 'no such database'],
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock'],
    ['53100', 'disk full'],
    ['53300', 'too many connections'],
    ['55P03', 'lock not available'],
    ['57014', 'statement timeout'],
    ['57P01', 'terminated by an administrator'],
    ['57P03', 'starting up'],
    ['58030', 'I/O error'],
    ['XX000', 'internal error'],
    ['F0000', 'broken configuration file'],
    ['42P01', 'no such table'],
    ['42703', 'no such column'],
    ['42501', 'no right'],
  ])('%s (%s): away for now', (code) => {
    const error = databaseError(code);

    expect(translatePostgresError(error)).toMatchObject({ constructor: UnavailableError, cause: error });
  });

  it.each([
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
    Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }),
    Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
  ])('%s: away for now', (error) => {
    expect(translatePostgresError(error)).toMatchObject({ constructor: UnavailableError, cause: error });
  });

  it.each([
    databaseError('42601'),
    databaseError('0A000'),
    databaseError('99999'),
    Object.assign(new DatabaseError('no code', 1, 'error')),
    new TypeError('bug'),
    new RangeError('bug'),
  ])('%s: what is in no table stays what it is, and is not taken for bad data', (error) => {
    expect(translatePostgresError(error)).toBe(error);
  });
});

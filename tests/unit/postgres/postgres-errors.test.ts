import { DatabaseError } from 'pg';
import { UnavailableError, UnstorableError } from '../../../src/domain/errors';
import { translatePostgresError } from '../../../src/postgres/postgres-errors';

function databaseError(code: string): DatabaseError {
  return Object.assign(new DatabaseError('message', 1, 'error'), { code });
}

describe('translatePostgresError', () => {
  it.each(['22001', '22021', '22P05', '23502', '23514', '54000', 'P0001'])(
    '%s: the data can never be stored',
    (code) => {
      const error = databaseError(code);

      expect(translatePostgresError(error)).toMatchObject({ constructor: UnstorableError, cause: error });
    },
  );

  it.each([
    ['08006', 'connection failure'],
    ['25006', 'read-only transaction'],
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
    ['42P01', 'no such table'],
    ['42501', 'no right'],
  ])('%s (%s): away for now', (code) => {
    const error = databaseError(code);

    expect(translatePostgresError(error)).toMatchObject({ constructor: UnavailableError, cause: error });
  });

  it.each([
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
  ])('%s: away for now', (error) => {
    expect(translatePostgresError(error)).toMatchObject({ constructor: UnavailableError, cause: error });
  });

  it.each([
    databaseError('42601'),
    Object.assign(new DatabaseError('no code', 1, 'error')),
    new TypeError('bug'),
  ])('%s: a bug stays what it is', (error) => {
    expect(translatePostgresError(error)).toBe(error);
  });
});

import { DatabaseError } from 'pg';
import { RejectedError, UnavailableError, UnsuitableServerError } from '../../../src/domain/errors';
import { hinted } from '../../../src/postgres/suitability';

function databaseError(fields: Partial<DatabaseError>): DatabaseError {
  return Object.assign(new DatabaseError('message', 1, 'error'), fields);
}

describe('hinted', () => {
  it('leaves alone what is not about the set-up', () => {
    const lost = new UnavailableError('PostgreSQL is unavailable', { cause: new Error('ECONNRESET') });
    const starting = new UnavailableError('starting up', { cause: databaseError({ code: '57P03' }) });

    expect([lost, starting, 'no error at all'].map(hinted)).toEqual([lost, starting, 'no error at all']);
  });

  it('names what PostgreSQL said of a rejection that has no hint of its own, a code or none', () => {
    const rejections = [{ code: '0A000' }, {}].map(
      (fields) => new RejectedError('', undefined, { cause: databaseError(fields) }),
    );

    expect(rejections.map(hinted)).toEqual([
      new UnsuitableServerError('users takes no INSERT (SQLSTATE 0A000: message)'),
      new UnsuitableServerError('users takes no INSERT (SQLSTATE : message)'),
    ]);
  });
});

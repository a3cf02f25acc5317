import { remedyFor } from '../../../src/observability/remedy';

const withCode = (code: string): Error => Object.assign(new Error('no'), { code });

describe('remedyFor', () => {
  it.each(['ECONNREFUSED', 'ETIMEDOUT', 'ENOTFOUND', '57P03'])(
    'knows none for %s: waiting may help',
    (code) => {
      expect(remedyFor('postgres', withCode(code))).toBeUndefined();
    },
  );

  it('looks behind the error, too', () => {
    const error = new Error('away', { cause: new Error('again', { cause: withCode('28P01') }) });

    expect(remedyFor('postgres', error)).toBe('the server refuses DB_USER with DB_PASSWORD');
  });
});

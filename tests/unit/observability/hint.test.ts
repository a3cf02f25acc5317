import { hintFor } from '../../../src/observability/hint';

const withCode = (code: string): Error => Object.assign(new Error('no'), { code });

describe('hintFor', () => {
  it.each(['ECONNREFUSED', 'ETIMEDOUT', 'ENOTFOUND', '57P03'])(
    'knows none for %s: waiting may help',
    (code) => {
      expect(hintFor('postgres', withCode(code))).toBeUndefined();
    },
  );

  it('looks at its causes, too', () => {
    const error = new Error('unavailable', { cause: new Error('again', { cause: withCode('28P01') }) });

    expect(hintFor('postgres', error)).toBe('the server rejects DB_USER with DB_PASSWORD');
  });

  it('tells a port of Redis that has no TLS', () => {
    expect(hintFor('redis', withCode('ERR_SSL_WRONG_VERSION_NUMBER'))).toMatch(/redis:/);
    expect(hintFor('postgres', withCode('ERR_SSL_WRONG_VERSION_NUMBER'))).toBeUndefined();
  });

  it.each([
    ["NOPERM User service has no permissions to run the 'set' command script: 1", /user:\*/],
    ["OOM command not allowed when used memory > 'maxmemory'. script: 1", /maxmemory/],
    ["READONLY You can't write against a read only replica. script: 1", /primary/],
    ['MISCONF Redis is configured to save RDB snapshots', /save/],
  ])('knows one for a Redis that rejects commands: %s', (message, hint) => {
    expect(hintFor('redis', new Error(message))).toMatch(hint);
    expect(hintFor('postgres', new Error(message))).toBeUndefined();
  });
});

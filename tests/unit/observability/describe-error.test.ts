import { errorLine } from '../../../src/observability/describe-error';

describe('errorLine', () => {
  it('tells an error and its causes in one line', () => {
    const cause = new Error('connect\n  ECONNREFUSED', { cause: new Error('no route') });

    expect(errorLine(new Error('Redis is unavailable', { cause }))).toBe(
      'Redis is unavailable: connect ECONNREFUSED: no route',
    );
  });

  it('does not repeat itself', () => {
    expect(errorLine(new Error('refused', { cause: new Error('refused') }))).toBe('refused');
  });

  it('names an error without a message, and one whose message may quote data, by its code', () => {
    const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code });

    expect(errorLine(coded('', 'ECONNREFUSED'))).toBe('ECONNREFUSED');
    expect(errorLine(coded('duplicate key (john@example.com)', '23505'))).toBe('23505');
    expect(errorLine(new Error(''))).toBe('Error');
    const raised = { where: 'PL/pgSQL function reject() line 2 at RAISE' };
    expect(errorLine(Object.assign(coded('no john@example.com', 'U0001'), raised))).toBe('U0001');
    expect(errorLine(coded('permission denied for table users', '42501'))).toBe(
      'permission denied for table users',
    );
  });
});

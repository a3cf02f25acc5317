import { deadLetterMatcher, describeDeadLetter, type DeadLetterFilter } from '../../../src/tools/dead-letter';
import { buildRegistration } from '../../support/builders';
import { buildDeadLetter } from '../../support/dead-letters';

const deadLetter = buildDeadLetter({
  partition: 1,
  offset: '7',
  reason: 'invalid',
  writtenAt: '2026-01-02T00:00:00.000Z',
  key: Buffer.from(' John@Example.com'),
  value: { ...buildRegistration(), email: 'jane@example.com' },
});
const at = Date.parse('2026-01-02T00:00:00.000Z');

describe('deadLetterMatcher', () => {
  it.each<[string, DeadLetterFilter, boolean]>([
    ['nothing', {}, true],
    ['its id', { ids: [{ partition: 1, offset: 7n }] }, true],
    ['another id', { ids: [{ partition: 7, offset: 1n }] }, false],
    ['its reason among others', { reasons: ['conflict', 'invalid'] }, true],
    ['another reason', { reasons: ['conflict'] }, false],
    ['since its time', { since: at }, true],
    ['since a later time', { since: at + 1 }, false],
    ['until a later time', { until: at + 1 }, true],
    ['until its time', { until: at }, false],
    ['the email of its key, not canonical', { email: 'john@example.com' }, true],
    ['the email of its value', { email: 'jane@example.com' }, true],
    ['another email', { email: 'jo@example.com' }, false],
    ['its reason but another email', { reasons: ['invalid'], email: 'jo@example.com' }, false],
  ])('filters by %s', (_what, filter, expected) => {
    expect(deadLetterMatcher(filter)(deadLetter)).toBe(expected);
  });

  it('does not fail on records without key, value and headers', () => {
    const empty = { ...deadLetter, key: null, value: null, headers: {} };

    expect(deadLetterMatcher({ email: 'john@example.com' })(empty)).toBe(false);
    expect(deadLetterMatcher({ reasons: ['invalid'] })(empty)).toBe(false);
    expect(describeDeadLetter(empty)).toMatchObject({ id: '1:7', reason: '?', error: '?', source: '?/?:?' });
  });
});

describe('describeDeadLetter', () => {
  it('says what it is, where it came from and what it is a replay of, without personal data', () => {
    const replayed = { ...deadLetter, headers: { ...deadLetter.headers, 'dead-letter-replay-of': '0:3' } };

    expect(describeDeadLetter(replayed)).toEqual({
      id: '1:7',
      writtenAt: '2026-01-02T00:00:00.000Z',
      reason: 'invalid',
      error: 'another registration of this email came first',
      source: 'user-registration/2:41',
      replayOf: '0:3',
    });
  });
});

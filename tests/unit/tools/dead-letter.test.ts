import { createLetterTest, type DeadLetterFilter } from '../../../src/tools/dead-letter';
import { describeLetter } from '../../../src/tools/letter-description';
import { buildRegistration } from '../../support/builders';
import { buildLetter } from '../../support/dead-letters';

const letter = buildLetter({
  partition: 1,
  offset: '7',
  reason: 'invalid',
  writtenAt: '2026-01-02T00:00:00.000Z',
  key: Buffer.from(' John@Example.com'),
  value: { ...buildRegistration(), email: 'jane@example.com' },
});
const at = Date.parse('2026-01-02T00:00:00.000Z');

describe('createLetterTest', () => {
  it.each<[string, DeadLetterFilter, boolean]>([
    ['nothing', {}, true],
    ['its place', { places: [{ partition: 1, offset: 7n }] }, true],
    ['another place', { places: [{ partition: 7, offset: 1n }] }, false],
    ['its reason among others', { reasons: ['conflict', 'invalid'] }, true],
    ['another reason', { reasons: ['conflict'] }, false],
    ['since its time', { since: at }, true],
    ['since a later time', { since: at + 1 }, false],
    ['until a later time', { until: at + 1 }, true],
    ['until its time', { until: at }, false],
    ['the e-mail of its key, not canonical', { email: 'john@example.com' }, true],
    ['the e-mail of its value', { email: 'jane@example.com' }, true],
    ['another e-mail', { email: 'jo@example.com' }, false],
    ['its reason but another e-mail', { reasons: ['invalid'], email: 'jo@example.com' }, false],
  ])('filters by %s', (_what, filter, expected) => {
    expect(createLetterTest(filter)(letter)).toBe(expected);
  });

  it('stands records without key, value and headers', () => {
    const empty = { ...letter, key: null, value: null, headers: {} };

    expect(createLetterTest({ email: 'john@example.com' })(empty)).toBe(false);
    expect(createLetterTest({ reasons: ['invalid'] })(empty)).toBe(false);
    expect(describeLetter(empty)).toMatchObject({ id: '1:7', reason: '?', error: '?', source: '?/?:?' });
  });
});

describe('describeLetter', () => {
  it('says what it is, where it came from and what it is a replay of, without personal data', () => {
    const replayed = { ...letter, headers: { ...letter.headers, 'dead-letter-replay-of': '0:3' } };

    expect(describeLetter(replayed)).toEqual({
      id: '1:7',
      writtenAt: '2026-01-02T00:00:00.000Z',
      reason: 'invalid',
      error: 'another registration of this e-mail came first',
      source: 'user-registration/2:41',
      replayOf: '0:3',
    });
  });
});

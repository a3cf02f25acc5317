import { parseEmail } from '../../../src/domain/email';
import { parseRegistration } from '../../../src/domain/registration';
import { buildRegistration } from '../../support/builders';

const SHORT = 2000;
const LONG = 8 * SHORT;
// Eight times the length in eight times the time would be linear; quadratic time would be 64 times.
const MAX_RATIO = 24;

const differentLetters = (count: number): string =>
  Array.from({ length: count }, (_, index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))).join(
    '',
  );

/** Texts of any length, each made to cost an expression, a normalisation or a decoder more than its length. */
const HOSTILE: readonly (readonly [string, (length: number) => string])[] = [
  ['letters without an @', (length) => 'a'.repeat(length)],
  ['many @', (length) => '@'.repeat(length)],
  ['many dots before the @', (length) => `${'a.'.repeat(length / 2)}@example.com`],
  ['many dots behind the @', (length) => `a@${'a.'.repeat(length / 2)}`],
  ['many dashes', (length) => `a@${'a-'.repeat(length / 2)}.com`],
  ['many blanks inside', (length) => `a${' '.repeat(length)}b@example.com`],
  ['many blanks in front', (length) => `${' '.repeat(length)}a`],
  ['quotes', (length) => `"${'\\"'.repeat(length / 2)}"@example.com`],
  ['brackets', (length) => `a@[${':'.repeat(length)}`],
  ['comments', (length) => `${'('.repeat(length)}@example.com`],
  ['marks in an order that NFC changes', (length) => `a${'\u0301\u0323'.repeat(length / 2)}@example.com`],
  ['such marks in the domain', (length) => `a@a${'\u0301\u0323'.repeat(length / 2)}.com`],
  ['a long label of different letters', (length) => `a@${differentLetters(length)}.com`],
  ['many labels of other letters', (length) => `a@${'ü.'.repeat(length / 2)}de`],
  ['long Punycode', (length) => `a@xn--${'9a'.repeat(length / 2)}.com`],
  ['much Punycode', (length) => `a@${'xn--a.'.repeat(length / 6)}com`],
  ['Hangul in parts', (length) => '\u1100\u1161\u11a8'.repeat(length / 3)],
  ['invisible characters', (length) => '\u200b'.repeat(length)],
];

/** The fastest of several, in ms: what others do on the machine only adds. */
function fastest(work: () => unknown): number {
  const times = Array.from({ length: 25 }, () => {
    const startedAt = performance.now();
    try {
      work();
    } catch {
      // Refused, which is what takes the time.
    }
    return performance.now() - startedAt;
  });
  return Math.min(...times);
}

describe.each(HOSTILE)('the time for %s', (_what, make) => {
  it.each([
    ['an e-mail', (text: string) => parseEmail(text)],
    ['a name', (text: string) => parseRegistration(buildRegistration({ firstName: text }))],
    ['a gender', (text: string) => parseRegistration(buildRegistration({ gender: text }))],
  ])('as %s grows no faster than its length', (_field, parse) => {
    const [short, long] = [make(SHORT), make(LONG)];

    const ratio = fastest(() => parse(long)) / fastest(() => parse(short));

    expect(ratio).toBeLessThan(MAX_RATIO);
  });
});

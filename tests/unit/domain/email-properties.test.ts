import { domainToUnicode } from 'node:url';
import fc from 'fast-check';
import { parseEmail } from '../../../src/domain/email';
import { ValidationError } from '../../../src/domain/errors';
import { addresses, anyText } from '../../support/arbitraries';

const RUNS = { numRuns: 300 };

/** undefined for what is no address. Lets every other error through. */
function canonicalOf(address: string): string | undefined {
  try {
    return parseEmail(address);
  } catch (error) {
    if (error instanceof ValidationError) return undefined;
    throw error;
  }
}

/** Calls `check` for every generated address that is valid, with its canonical form. */
function forValid(
  candidates: fc.Arbitrary<string>,
  check: (address: string, canonical: string) => void,
): void {
  let valid = 0;
  fc.assert(
    fc.property(candidates, (address) => {
      const canonical = canonicalOf(address);
      if (canonical === undefined) return;
      valid += 1;
      check(address, canonical);
    }),
    RUNS,
  );
  expect(valid).toBeGreaterThan(30);
}

const anything = fc.oneof(
  addresses,
  anyText.map((local) => `${local}@example.org`),
  anyText.map((label) => `a@${label}.org`),
);

describe('the canonical form of an address', () => {
  it('is its own canonical form', () => {
    forValid(anything, (_address, canonical) => expect(canonicalOf(canonical)).toBe(canonical));
  });

  it('is lower case, NFC, without blanks or invisible characters, ASCII behind the @, 254 characters at most', () => {
    forValid(anything, (_address, canonical) => {
      const domain = canonical.slice(canonical.lastIndexOf('@') + 1);
      expect(canonical.toLowerCase().normalize('NFC')).toBe(canonical);
      expect(canonical).not.toMatch(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u);
      expect(domain).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
      expect(canonical.length).toBeLessThanOrEqual(254);
    });
  });

  it('is the same for every letter case', () => {
    // ß and ı have no capital of their own: see 'are two users' below.
    const others = addresses.filter((address) => !/[ßı]/.test(address));
    forValid(others, (address, canonical) => expect(canonicalOf(address.toUpperCase())).toBe(canonical));
  });

  it('is the same for every way to compose its characters', () => {
    forValid(addresses, (address, canonical) => {
      expect(canonicalOf(address.normalize('NFD'))).toBe(canonical);
      expect(canonicalOf(address.normalize('NFC'))).toBe(canonical);
    });
  });

  it('is the same for the Unicode and the ASCII form of the domain', () => {
    forValid(addresses, (_address, canonical) => {
      const at = canonical.lastIndexOf('@');
      expect(canonicalOf(`${canonical.slice(0, at)}@${domainToUnicode(canonical.slice(at + 1))}`)).toBe(
        canonical,
      );
    });
  });

  it('is the same with blanks around', () => {
    forValid(addresses, (address, canonical) => expect(canonicalOf(` \t${address}\u3000\n`)).toBe(canonical));
  });
});

describe('addresses that look alike', () => {
  it.each([
    ['a composed and a decomposed letter', 'jos\u00e9@example.com', 'jose\u0301@example.com'],
    ['marks in another order', 'a\u0323\u0301@example.com', 'a\u0301\u0323@example.com'],
    ['Hangul as a syllable and as its parts', '\ud55c@example.com', '\u1112\u1161\u11ab@example.com'],
    ['the Kelvin sign and a k', '\u212a@example.com', 'k@example.com'],
    ['the Ångström sign and an å', '\u212b@example.com', '\u00e5@example.com'],
    ['upper and lower case beyond ASCII', 'ЖÉΛ@example.com', 'жéλ@example.com'],
    [
      'a capital and a mark that only its small letter is composed with',
      'J\u030c@example.com',
      '\u01f0@example.com',
    ],
    ['a final sigma and its capital', 'οδος.οδος@example.com', 'ΟΔΟΣ.ΟΔΟΣ@example.com'],
    ['a sigma in the middle and at the end', 'σς@example.com', 'ςσ@example.com'],
    ['ẞ and ß', 'STRA\u1e9eE@example.com', 'stra\u00dfe@example.com'],
    ['a domain in full-width letters', 'a@ｅｘａｍｐｌｅ.com', 'a@example.com'],
    ['a domain with a ligature', 'a@o\ufb03ce.com', 'a@office.com'],
    ['a domain with a full-width dot', 'a@example．com', 'a@example.com'],
    ['a domain in mathematical letters', 'a@𝐞𝐱𝐚𝐦𝐩𝐥𝐞.com', 'a@example.com'],
    ['a domain in full-width digits', 'a@１２３.com', 'a@123.com'],
    ['a domain with a zero-width joiner and its ASCII form', 'x@ශ්\u200dරී.com', 'x@xn--10cl1a0b660p.com'],
    ['a domain with a non-joiner and its ASCII form', 'x@نامه\u200cای.com', 'x@xn--mgba3gch31f060k.com'],
    ['a joiner behind a virama and its ASCII form', 'x@क्\u200dष.org', 'x@xn--11b2ezcw70k.org'],
    ['a domain with a soft hyphen and without', 'a@ex\u00adample.com', 'a@example.com'],
    ['a domain with a word joiner and without', 'a@exam\u2060ple.com', 'a@example.com'],
    ['İ, the Turkish capital of i, and i', 'İsmail@example.com', 'ismail@example.com'],
    ['İ in two characters and i', 'I\u0307smail@example.com', 'ismail@example.com'],
    ['i with the dot that others lower-case İ to', 'i\u0307smail@example.com', 'ismail@example.com'],
    ['İ with an accent and í', 'İ\u0301@example.com', 'í@example.com'],
    ['upper and lower case of full-width letters', 'ＡＢ@example.com', 'ａｂ@example.com'],
    ['title and lower case of a digraph', 'ǅ@example.com', 'ǆ@example.com'],
    ['Cherokee and Georgian capitals', 'ᎠᲐ@example.com', 'ꭰა@example.com'],
  ])('are one user: %s', (_what, one, other) => {
    expect(parseEmail(one)).toBe(parseEmail(other));
  });

  it.each([
    ['Latin a and Cyrillic а', 'paypal@example.com', 'p\u0430yp\u0430l@example.com'],
    ['Latin o and Greek ο', 'bob@example.com', 'b\u03bfb@example.com'],
    ['the same in the domain', 'a@paypal.com', 'a@p\u0430ypal.com'],
    ['Latin a and full-width ａ before the @', 'a@example.com', '\uff41@example.com'],
    ['fi and its ligature before the @', 'fi@example.com', '\ufb01@example.com'],
    ['ß and ss', 'stra\u00dfe@example.com', 'strasse@example.com'],
    ['ß and its usual capitals', 'stra\u00dfe@example.com', 'STRASSE@example.com'],
    ['σ and ς in the domain', 'a@\u03c3\u03c2.gr', 'a@\u03c3\u03c3.gr'],
    ['i and dotless ı', 'i@example.com', '\u0131@example.com'],
    ['İ and dotless ı', 'İ@example.com', '\u0131@example.com'],
    ['the micro sign and μ', '\u00b5@example.com', '\u03bc@example.com'],
    ['ϐ and β', '\u03d0@example.com', '\u03b2@example.com'],
    ['a domain with a non-joiner and without', 'x@نامه\u200cای.com', 'x@نامهای.com'],
    ['s and long ſ', 's@example.com', '\u017f@example.com'],
    ['1 and superscript ¹', '1@example.com', '\u00b9@example.com'],
    ['Arabic and extended Arabic digits', '\u0661@example.com', '\u06f1@example.com'],
    ['a letter with and without a mark', 'e@example.com', '\u00e9@example.com'],
    ['a plain and a tagged address', 'a@example.com', 'a+b@example.com'],
    ['with and without a dot', 'ab@example.com', 'a.b@example.com'],
  ])('are two users: %s', (_what, one, other) => {
    expect(parseEmail(one)).not.toBe(parseEmail(other));
  });

  it.each([
    ['a zero-width space', 'a\u200b@example.com'],
    ['a zero-width joiner', 'a\u200db@example.com'],
    ['a zero-width non-joiner', 'نامه\u200cای@example.com'],
    ['a soft hyphen', 'a\u00adb@example.com'],
    ['a variation selector', 'a\ufe0f@example.com'],
    ['a grapheme joiner', 'a\u034fb@example.com'],
    ['a tag character', 'a\u{e0061}@example.com'],
    ['a no-break space', 'a\u00a0b@example.com'],
    ['a right-to-left mark', 'a\u200fb@example.com'],
    ['a right-to-left override', 'a\u202eb@example.com'],
    ['a Braille blank', 'a\u2800@example.com'],
    ['an object replacement character', 'a\ufffc@example.com'],
    ['a note without a head', 'a\u{1d159}@example.com'],
    ['an interlinear annotation mark', 'a\ufff9b@example.com'],
    ['a noncharacter', 'a\ufdd0@example.com'],
    ['a character that is not assigned', 'a\u0378@example.com'],
    ['a character newer than Unicode 15.0', 'a\ua7dc@example.com'],
    ['such a character in Punycode', 'a@xn--ab-uc82c.com'],
    ['a full-width @', 'a＠example.com'],
  ])('are refused when only something invisible tells them apart: %s', (_what, address) => {
    expect(() => parseEmail(address)).toThrow(ValidationError);
  });

  it('are one user for every capital letter that an email may have', () => {
    const capitals = Array.from({ length: 0x110000 }, (_, code) => code)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code))
      .filter((character) => /[\p{Lu}\p{Lt}]/u.test(character))
      // The others are newer than Unicode 15.0.
      .filter((character) => canonicalOf(`a${character}@example.com`) !== undefined);

    const different = capitals.filter((capital) => {
      const canonical = parseEmail(`a${capital}@example.com`);
      return (
        canonical !== parseEmail(`a${capital.toLowerCase()}@example.com`) ||
        canonical !== parseEmail(canonical)
      );
    });

    expect(capitals.length).toBeGreaterThan(1800);
    expect(different).toEqual([]);
  });
});

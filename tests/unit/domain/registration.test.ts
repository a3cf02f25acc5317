import { isSameRegistration, parseRegistration, type Registration } from '../../../src/domain/registration';
import { BAD_REGISTRATIONS, GOOD_REGISTRATIONS } from '../../support/bad-registrations';
import { buildRegistration } from '../../support/builders';

describe('parseRegistration', () => {
  it.each(BAD_REGISTRATIONS)('refuses %s', (_what, fields, error) => {
    expect(() => parseRegistration({ ...buildRegistration(), ...fields })).toThrow(error);
  });

  it.each(Array.from('\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'))(
    'refuses the bidirectional control %j',
    (control) => {
      expect(() => parseRegistration(buildRegistration({ firstName: `Jo${control}hn` }))).toThrow(
        'firstName must not contain a bidirectional override character',
      );
    },
  );

  it.each([
    ['zero-width spaces around a blank', '\u200b\u2003\u200b'],
    ['annotation marks', '\ufff9\ufffa\ufffb'],
    ['Braille blanks', '\u2800\u2800'],
    ['object replacement characters', '\ufffc\ufffc'],
    ['combining marks', '\u0301\u0302'],
    ['an enclosing keycap and a vowel sign', '\u20e3\u093f'],
    ['variation selectors', '\ufe0f\ufe0e\u{e0100}'],
    ['grapheme joiners', '\u034f\u034f'],
    ['Hangul fillers', '\u115f\u1160\u3164\uffa0'],
    ['Khmer inherent vowels', '\u17b4\u17b5'],
    ['hieroglyphic blanks', '\u{13441}\u{13442}'],
    ['notes without a head', '\u{1d159}\u{1d159}'],
    ['noncharacters', '\ufdd0\ufffe\u{1ffff}'],
    ['some of each', '\u2800\u0301\ufffc\u3164\u00a0\u2800'],
  ])('refuses a name of %s: nothing to see', (_what, firstName) => {
    expect(() => parseRegistration(buildRegistration({ firstName }))).toThrow(
      'firstName must contain a visible character',
    );
  });

  it.each([
    ['e and its accent', 'Rene\u0301', 'Ren\u00e9'],
    ['a Hangul syllable of three parts', '\u1100\u1175\u11b7\u1106\u1175\u11ab', '김민'],
    ['a Vietnamese letter with two marks', 'Nguye\u0302\u0303n', 'Nguy\u1ec5n'],
    ['marks in another order', 'a\u0301\u0323b', '\u1ea1\u0301b'],
    ['the Ångström sign', '\u212bsa', '\u00c5sa'],
    ['Greek with three marks', '\u03b1\u0313\u0300\u0345\u03b2', '\u1f82\u03b2'],
    ['a letter that NFC takes apart', '\u0958\u0930', '\u0915\u093c\u0930'],
    ['a note that NFC takes apart', '\u{1d15e}\u{1d15e}', '\u{1d157}\u{1d165}\u{1d157}\u{1d165}'],
    ['an ideograph of the compatibility block', '\uf900\uf901', '\u8c48\u66f4'],
  ])('stores one form of a name: %s', (_what, typed, stored) => {
    const typedAs = [typed, stored, stored.normalize('NFD')];

    for (const firstName of typedAs) {
      expect(parseRegistration(buildRegistration({ firstName })).firstName).toBe(stored);
    }
  });

  it.each([
    ['a ligature', '\ufb01n'],
    ['an Arabic presentation form', '\ufefb\ufe8e'],
    ['full-width letters', 'ＪＯ'],
    ['joiners inside', 'क्\u200dष نامه\u200cای'],
    ['a character of private use', '\ue000\ue001'],
  ])('leaves %s as it is', (_what, firstName) => {
    expect(parseRegistration(buildRegistration({ firstName })).firstName).toBe(firstName);
  });

  it.each([
    ['é', 'at least 2'],
    ['김', 'at least 2'],
    ['é'.repeat(101), 'less than or equal to 100'],
    ['김'.repeat(101), 'less than or equal to 100'],
    ['\u1f82'.repeat(101), 'less than or equal to 100'],
    ['\u0958'.repeat(51), 'less than or equal to 100'],
  ])('counts %j the same, composed or not', (name, problem) => {
    for (const firstName of [name, name.normalize('NFC'), name.normalize('NFD')]) {
      expect(() => parseRegistration(buildRegistration({ firstName }))).toThrow(`length must be ${problem}`);
    }
  });

  it('takes names of 100 letters of four code points each', () => {
    const firstName = '\u1f82'.repeat(100);

    expect(parseRegistration(buildRegistration({ firstName: firstName.normalize('NFD') }))).toMatchObject({
      firstName,
    });
  });

  it.each(GOOD_REGISTRATIONS)('accepts %s', (_what, fields) => {
    const registration = buildRegistration(fields);

    expect(parseRegistration(registration)).toEqual(registration);
  });

  it('trims every field, drops unknown ones and canonicalises the e-mail', () => {
    const registration = buildRegistration({ email: 'john@example.com' });
    const padded = Object.fromEntries(
      Object.entries(registration).map(([field, value]) => [field, `  ${value} `]),
    );

    expect(parseRegistration({ ...padded, email: ' JOHN@Example.com ', role: 'admin', id: 7 })).toEqual(
      registration,
    );
  });

  it('drops __proto__ and leaves Object.prototype alone', () => {
    const registration = buildRegistration();
    const body = JSON.stringify(registration).replace(
      '{',
      '{"__proto__":{"polluted":true},"constructor":{"x":1},',
    );

    const parsed = parseRegistration(JSON.parse(body));

    expect(parsed).toEqual(registration);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  });

  it.each([
    ['undefined', undefined, 'body is required'],
    ['null', null, 'body must be of type object'],
    ['an array', [buildRegistration()], 'body must be of type object'],
    ['a string', 'text', 'body must be of type object'],
    [
      'a string that holds a registration',
      JSON.stringify(buildRegistration()),
      'body must be of type object',
    ],
    ['a number', 5, 'body must be of type object'],
  ])('refuses %s', (_what, body, error) => {
    expect(() => parseRegistration(body)).toThrow(`Validation error: ${error}`);
  });
});

describe('isSameRegistration', () => {
  const fields: (keyof Registration)[] = ['firstName', 'lastName', 'email', 'gender', 'sex', 'occupation'];
  const registration = buildRegistration();

  it('holds for equal fields', () => {
    expect(isSameRegistration(registration, { ...registration })).toBe(true);
  });

  it.each(fields)('does not hold when %s differs', (field) => {
    expect(isSameRegistration(registration, { ...registration, [field]: 'other' })).toBe(false);
  });
});

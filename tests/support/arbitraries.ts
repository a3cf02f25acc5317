import fc from 'fast-check';

const LETTERS = fc.constantFrom(...Array.from('abcxyz0189éöñçłžйжщλοπσ漢字かな한글अबกขİẤ'));
// Where IDNA allows a joiner, and where it does not.
const JOINED = fc.constantFrom('ශ්\u200dරී', 'نامه\u200cای', 'क्\u200cष', 'a\u200cb');
const LABEL = fc.oneof(
  { weight: 7, arbitrary: fc.string({ unit: LETTERS, minLength: 1, maxLength: 12 }) },
  JOINED,
);
const LOCAL = fc.string({
  // In a domain ς, ß and ı are characters of their own: DNS knows them beside σ, ss and i.
  unit: fc.oneof(LETTERS, fc.constantFrom(...Array.from(".+_'=-ςßı"))),
  minLength: 1,
  maxLength: 15,
});

/** Addresses that a person may have, of many scripts; not all of them are valid. */
export const addresses: fc.Arbitrary<string> = fc
  .tuple(LOCAL, fc.array(LABEL, { minLength: 1, maxLength: 3 }), fc.constantFrom('com', 'org', 'de', 'рф'))
  .map(([local, labels, tld]) => `${local}@${[...labels, tld].join('.')}`);

/** Text of any code points and code units, lone surrogates and controls included. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

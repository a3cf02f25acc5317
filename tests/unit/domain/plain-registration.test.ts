import fc from 'fast-check';
import { applyAllRules, readPlainRegistration } from '../../../src/domain/registration';
import { buildRegistration } from '../../support/builders';

/** Of `characters`, of all lengths up to one too long. */
function text(characters: string, maxLength: number): fc.Arbitrary<string> {
  const unit = fc.constantFrom(...Array.from(characters));
  const edges = fc.integer({ min: maxLength - 1, max: maxLength + 1 });
  const lengths = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 9 }) }, edges);
  return lengths.chain((length) => fc.string({ unit, minLength: length, maxLength: length }));
}

const nearlyText = fc.oneof(text('abZ9.,-~!', 100), text('ab Z9\té\u0000\u200b', 100), text('ab Z', 255));
const nearlyEmail = fc
  .tuple(
    fc.oneof(text('ab9_', 64), text('ab9_.+-A', 64)),
    fc.array(fc.oneof(text('ab9', 63), text('ab9-', 63)), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('com', 'c', 'de', '9', 'c9', 'xn--p1ai', 'com.', 'рф', ''),
  )
  .map(([local, labels, tld]) => `${local}@${[...labels, tld].join('.')}`);
const submissions = fc.record({
  firstName: nearlyText,
  lastName: fc.constantFrom('Doe', 'D', ' Doe', "O'Hara", 'de la Cruz'),
  email: fc.oneof(nearlyEmail, fc.constant('john.doe@example.com')),
  gender: fc.constantFrom('male', 'female', 'non-binary', 'prefer-not-to-say', ' male', 'Male', 7),
  sex: fc.constantFrom('male', 'female', 'intersex', 'non-binary', null),
  occupation: fc.oneof(nearlyText, fc.constant('Engineer')),
});

describe('readPlainRegistration', () => {
  it('accepts only what all rules accept, and returns what they return', () => {
    let accepted = 0;

    fc.assert(
      fc.property(submissions, (input) => {
        const plain = readPlainRegistration(input);
        if (plain === undefined) return;
        accepted += 1;
        expect(plain).toEqual(applyAllRules(input));
      }),
      { numRuns: 5000 },
    );

    expect(accepted).toBeGreaterThan(30);
  });

  it('accepts plain addresses, and only such as all rules leave as they are', () => {
    let accepted = 0;

    fc.assert(
      fc.property(nearlyEmail, (email) => {
        const input = buildRegistration({ email });
        const plain = readPlainRegistration(input);
        if (plain === undefined) return;
        accepted += 1;
        expect(applyAllRules(input)).toEqual(plain);
      }),
      { numRuns: 3000 },
    );

    expect(accepted).toBeGreaterThan(30);
  });

  it('leaves an address of more than 254 characters to all rules', () => {
    const domain = `${'a.'.repeat(120)}com`;
    const longest = buildRegistration({ email: `${'a'.repeat(253 - domain.length)}@${domain}` });
    const tooLong = buildRegistration({ email: `a${longest.email}` });

    expect(readPlainRegistration(longest)).toEqual(longest);
    expect(readPlainRegistration(tooLong)).toBeUndefined();
  });

  it('drops unknown fields', () => {
    const registration = buildRegistration({ email: 'john@example.com' });

    expect(readPlainRegistration({ ...registration, role: 'admin' })).toEqual(registration);
  });
});

import fc from 'fast-check';
import { ValidationError } from '../../../src/domain/errors';
import { parseRegistration, type Registration } from '../../../src/domain/registration';
import { addresses, anyText } from '../../support/arbitraries';
import { BAD_REGISTRATIONS } from '../../support/bad-registrations';
import { buildRegistration } from '../../support/builders';

const RUNS = { numRuns: 300 };
const FIELDS = Object.keys(buildRegistration()) as (keyof Registration)[];

function parse(input: unknown): Registration | ValidationError {
  try {
    return parseRegistration(input);
  } catch (error) {
    if (error instanceof ValidationError) return error;
    throw error;
  }
}

/** Text that almost passes: the edges of the lengths, and everything that Unicode has. */
const text = fc.oneof(
  anyText,
  fc.string({ minLength: 1, maxLength: 300 }),
  fc.string({ unit: 'grapheme', minLength: 90, maxLength: 110 }),
);

/** Calls `check` for every generated registration that is accepted, with what it became. */
function forAccepted(check: (fields: Registration, result: Registration) => void): void {
  let accepted = 0;
  const submissions = fc.record({ firstName: text, lastName: text, occupation: text, email: addresses });
  fc.assert(
    fc.property(submissions, (submitted) => {
      const fields = { ...buildRegistration(), ...submitted };
      const result = parse(fields);
      if (result instanceof ValidationError) return;
      accepted += 1;
      check(fields, result);
    }),
    RUNS,
  );
  expect(accepted).toBeGreaterThan(30);
}

describe('parseRegistration', () => {
  it('throws ValidationError or nothing, whatever it gets', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (input) => {
        expect(parse(input)).toBeInstanceOf(ValidationError);
      }),
      RUNS,
    );
  });

  it('throws ValidationError or nothing, whatever a field is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FIELDS), fc.anything({ withBigInt: true }), (field, value) => {
        parse({ ...buildRegistration(), [field]: value });
      }),
      RUNS,
    );
  });

  it('lets only what keeps every rule pass', () => {
    forAccepted((fields, result) => {
      expect(Object.keys(result).sort()).toEqual([...FIELDS].sort());
      for (const [field, max] of [
        ['firstName', 100],
        ['lastName', 100],
        ['occupation', 255],
      ] as const) {
        const value = result[field];
        const { length } = Array.from(value);
        expect(length >= 2 && length <= max).toBe(true);
        expect(value).toBe(fields[field].trim().normalize('NFC'));
        expect(value).not.toMatch(/[\p{Cs}\p{Cc}\u202A-\u202E\u2066-\u2069]/u);
      }
    });
  });

  it('says the same of every way to compose the characters', () => {
    const marked = fc
      .array(fc.constantFrom(...Array.from('aé김\u1f82\u0958\u0301\u0323\u0307\u1100\u1161 \u200d')))
      .map((characters) => characters.join(''));

    fc.assert(
      fc.property(fc.constantFrom(...FIELDS), fc.oneof(text, marked, addresses), (field, value) => {
        const [asTyped, composed, decomposed] = [value, value.normalize('NFC'), value.normalize('NFD')].map(
          (form) => parse({ ...buildRegistration({ email: 'a@example.com' }), [field]: form }),
        );
        expect(composed).toEqual(asTyped);
        expect(decomposed).toEqual(asTyped);
      }),
      { numRuns: 1000 },
    );
  });

  it('changes nothing that it has let pass once', () => {
    forAccepted((_fields, result) => expect(parse(result)).toEqual(result));
  });

  it('names the first broken rule of each field, in the order of the rules, and the very first in its message', () => {
    const ofOneField = BAD_REGISTRATIONS.filter(([, fields]) => Object.keys(fields).length === 1);
    const mistakes = fc.subarray(ofOneField, { minLength: 1, maxLength: 12 });

    fc.assert(
      fc.property(mistakes, (some) => {
        const fields = Object.assign({}, ...some.map(([, each]) => each)) as object;
        const expected = FIELDS.filter((field) => field in fields).map((field) => {
          const [, , error = ''] = some.findLast(([, each]) => field in each) ?? [];
          return { field, message: error.replace('Validation error: ', '') };
        });

        expect(parse({ ...buildRegistration(), ...fields })).toMatchObject({
          message: `Validation error: ${expected[0]?.message ?? ''}`,
          brokenRules: expected,
        });
      }),
      RUNS,
    );
  });

  it('never quotes what was submitted', () => {
    const marked = fc.tuple(anyText, anyText).map(([before, behind]) => `${before}Zq7wJ${behind}`);
    const value = fc.oneof(marked, fc.array(marked, { minLength: 1 }), fc.dictionary(marked, marked));

    fc.assert(
      fc.property(fc.constantFrom(...FIELDS), value, marked, (field, bad, unknown) => {
        const result = parse({ ...buildRegistration(), [field]: bad, [unknown]: bad });
        if (!(result instanceof ValidationError)) return;
        expect(result.message).not.toContain('Zq7wJ');
        expect(JSON.stringify(result.brokenRules)).not.toContain('Zq7wJ');
      }),
      RUNS,
    );
  });
});

import fc from 'fast-check';
import { parseRegistration, type Registration } from '../../../src/domain/registration';
import { resolveRequestId } from '../../../src/http/middleware/request-id';
import { parsePage } from '../../../src/domain/pagination';
import { schemaAt } from '../../support/api-document';
import { BAD_REGISTRATIONS, GOOD_REGISTRATIONS } from '../../support/bad-registrations';
import { buildRegistration } from '../../support/builders';

const isDescribed = schemaAt('components', 'schemas', 'Registration');

/** What the service rejects although the schema accepts it: [the reason it gives, an example]. Nothing else may be. */
const STRICTER: readonly (readonly [RegExp, Readonly<Record<string, string>>])[] = [
  [/must not contain a NUL or control character$/, { firstName: 'Jo\0hn' }],
  [/must not contain a lone surrogate$/, { lastName: 'Do\ud800e' }],
  [/must not contain a bidirectional override character$/, { occupation: 'Pi\u202elot' }],
  [/must contain a visible character$/, { firstName: '\u200b\u200d\u2060' }],
  [/^Validation error: email must be a valid email$/, { email: 'john@localhost' }],
];

/** As the schema means it: lengths count in NFC, which no schema can say. */
function inNfc(registration: object): object {
  const nfc = (value: unknown) => (typeof value === 'string' ? value.normalize('NFC') : value);
  return Object.fromEntries(Object.entries(registration).map(([name, value]) => [name, nfc(value)]));
}

function rejectionOf(registration: unknown): string | undefined {
  try {
    parseRegistration(registration);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const blanks = fc.string({
  unit: fc.constantFrom(' ', '\t', '\n', '\u00a0', '\u2003', '\u2028', '\u3000', '\ufeff'),
  maxLength: 3,
});
const padded = (text: fc.Arbitrary<string>) =>
  fc.tuple(blanks, text, blanks).map(([before, inner, after]) => before + inner + after);

// Around the limits of length, in characters of every kind; 'binary' has every code point but lone surrogates.
const text = (max: number) =>
  padded(
    fc.oneof(
      ...(['grapheme', 'binary', 'binary-ascii', 'grapheme-ascii'] as const).flatMap((unit) => [
        fc.string({ unit, maxLength: 4 }),
        fc.string({ unit, minLength: max - 2, maxLength: max + 2, size: 'max' }),
      ]),
      fc.string({ unit: fc.constantFrom('\ud83d', '\ude00', 'x', ' '), maxLength: max + 2, size: 'max' }),
    ),
  );
const dot = fc.constantFrom('.', '\u3002', '\uff0e', '\uff61', '\u2024', '\u2488');
const label = fc.oneof(fc.domain(), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }));
const local = fc.oneof(
  fc.emailAddress().map((address) => address.split('@')[0] ?? ''),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
);
const email = padded(
  fc.oneof(
    fc.emailAddress(),
    fc
      .tuple(local, label, dot, label)
      .map(([name, one, separator, two]) => `${name}@${one}${separator}${two}`),
    fc.string({ unit: 'binary', maxLength: 20 }),
  ),
);

const valid = buildRegistration();
const fields: Readonly<Record<keyof Registration, fc.Arbitrary<string>>> = {
  firstName: text(100),
  lastName: text(100),
  email,
  gender: padded(fc.constantFrom('male', 'female', 'non-binary', 'prefer-not-to-say', 'Male', '')),
  sex: padded(fc.constantFrom('male', 'female', 'intersex', 'none')),
  occupation: text(255),
};
// One field differs from a valid registration, or all do.
const registrations: fc.Arbitrary<Registration> = fc.oneof(
  fc.record(fields),
  ...Object.entries(fields).map(([name, values]) => values.map((value) => ({ ...valid, [name]: value }))),
);

describe('the schema of a registration', () => {
  it('accepts whatever the service accepts', () => {
    let accepted = 0;
    fc.assert(
      fc.property(registrations, (registration) => {
        if (rejectionOf(registration) !== undefined) return;
        accepted += 1;
        expect(isDescribed(inNfc(registration))).toBe(true);
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });

  it('accepts nothing else but what is listed above', () => {
    fc.assert(
      fc.property(registrations, (registration) => {
        const reason = rejectionOf(registration);
        if (reason === undefined || !isDescribed(inNfc(registration))) return;
        expect(STRICTER.filter(([pattern]) => pattern.test(reason))).toHaveLength(1);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(STRICTER)('accepts what the service rejects with %s', (reason, fields) => {
    const registration = { ...valid, ...fields };

    expect(isDescribed(registration)).toBe(true);
    expect(rejectionOf(registration)).toMatch(reason);
  });

  it('accepts blanks around gender and sex, which the service forgives', () => {
    const registration = { ...valid, gender: ' male', sex: 'male\t' };

    expect(rejectionOf(registration)).toBeUndefined();
    expect(isDescribed(registration)).toBe(true);
  });

  it.each(GOOD_REGISTRATIONS)('accepts %s', (_what, fields) => {
    expect(isDescribed({ ...valid, ...fields })).toBe(true);
  });

  it.each(BAD_REGISTRATIONS)('rejects %s, unless that is listed above', (_what, fields, error) => {
    const isListed = STRICTER.some(([reason]) => reason.test(error));

    // As it is sent: undefined is left out.
    const sent = JSON.parse(JSON.stringify({ ...valid, ...fields })) as object;

    expect(isDescribed(inNfc(sent)) && !isListed).toBe(false);
  });
});

describe('the schemas of parameters', () => {
  const parameter = (index: number) =>
    schemaAt('paths', '/api/users', 'get', 'parameters', String(index), 'schema');
  const isPage = (query: object): boolean => {
    try {
      parsePage(query);
      return true;
    } catch {
      return false;
    }
  };

  it.each([
    ['limit', 0],
    ['offset', 1],
  ])('%s: describes what the service accepts', (name, index) => {
    const isLimit = parameter(index);
    const edges = fc.constantFrom(-1, 0, 1, 1000, 1001, 2_147_483_647, 2_147_483_648, 0.5);

    fc.assert(
      fc.property(fc.oneof(edges, fc.integer(), fc.integer({ min: 0, max: 1100 })), (value) => {
        expect(isLimit(value)).toBe(isPage({ [name]: String(value) }));
      }),
    );
    expect(String((isLimit.schema as { default: number }).default)).toBe(
      String(parsePage({})[name as 'limit' | 'offset']),
    );
  });

  it('created_from, created_before, total: describe what the service accepts, but for days that no month has', () => {
    const text = fc.constantFrom(
      '2026-11-01',
      'T12:34',
      ':56',
      '.123456',
      '.1234567',
      'Z',
      '+01:00',
      '+0100',
      'exact',
      ' ',
    );

    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 5 }).map((parts) => parts.join('')),
        (value) => {
          expect(parameter(3)(value)).toBe(isPage({ created_from: value }));
          expect(parameter(4)(value)).toBe(isPage({ created_before: value }));
          expect(parameter(5)(value)).toBe(isPage({ total: value }));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('X-Request-Id: anything may be sent; the answer’s says what is taken over', () => {
    const isSane = schemaAt('components', 'headers', 'X-Request-Id', 'schema');

    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: 126, maxLength: 130 })), (id) => {
        expect(schemaAt('components', 'parameters', 'RequestId', 'schema')(id)).toBe(true);
        expect(isSane(id)).toBe(resolveRequestId(id) === id);
      }),
    );
  });
});

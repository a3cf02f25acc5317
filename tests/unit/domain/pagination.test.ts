import fc from 'fast-check';
import { ValidationError } from '../../../src/domain/errors';
import { encodeCursor, parsePage } from '../../../src/domain/pagination';
import { anyText } from '../../support/arbitraries';

const RUNS = { numRuns: 300 };
const MESSAGES = [
  'Validation error: limit must be a whole number from 1 to 1000',
  'Validation error: offset must be a whole number from 0 to 2147483647',
  'Validation error: cursor must be one that a Link header of this list gave',
];

describe('parsePage', () => {
  it('takes every decimal integer of the range, and only those', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (limit, offset) => {
        const isAllowed = limit >= 1 && limit <= 1000 && offset <= 2_147_483_647;
        const parse = (): unknown => parsePage({ limit: String(limit), offset: String(offset) });
        if (isAllowed) expect(parse()).toMatchObject({ limit, offset });
        else expect(parse).toThrow(ValidationError);
      }),
      RUNS,
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(2_147_483_647), (limit, offset) => {
        expect(parsePage({ limit: String(limit), offset: String(offset) })).toMatchObject({ limit, offset });
      }),
      RUNS,
    );
  });

  it('takes every cursor that it gives', () => {
    const micros = fc.oneof(
      fc.bigInt({ min: -210_866_803_200_000_000n, max: 9_224_318_015_999_999_999n }).map(String),
      fc.constantFrom('infinity', '-infinity', null),
    );

    fc.assert(
      fc.property(micros, fc.maxSafeInteger(), (createdAtMicros, id) => {
        const after = { createdAtMicros, id };
        expect(parsePage({ cursor: encodeCursor(after) }).after).toEqual(after);
      }),
      RUNS,
    );
  });

  it('answers whole numbers of the range or throws ValidationError, without quoting, whatever the query is', () => {
    const value = fc.oneof(anyText, fc.array(anyText), fc.anything(), fc.constant(undefined));

    fc.assert(
      fc.property(value, value, value, (limit, offset, cursor) => {
        try {
          const page = parsePage({ limit, offset, cursor });
          expect(Number.isInteger(page.limit) && page.limit >= 1 && page.limit <= 1000).toBe(true);
          expect(Number.isInteger(page.offset) && page.offset >= 0 && page.offset <= 2_147_483_647).toBe(
            true,
          );
        } catch (error) {
          if (!(error instanceof ValidationError)) throw error;
          expect(MESSAGES).toContain(error.message);
        }
      }),
      RUNS,
    );
  });
});

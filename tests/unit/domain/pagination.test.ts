import fc from 'fast-check';
import { ValidationError } from '../../../src/domain/errors';
import { encodeCursor, parsePage } from '../../../src/domain/pagination';
import { anyText } from '../../support/arbitraries';

const RUNS = { numRuns: 300 };
const MESSAGES = [
  'Validation error: limit must be a whole number from 1 to 1000',
  'Validation error: offset must be a whole number from 0 to 2147483647',
  'Validation error: cursor must be one that a Link header of this list gave',
  'Validation error: created_from must be a time such as 2026-11-01T00:00:00Z',
  'Validation error: created_before must be a time such as 2026-11-01T00:00:00Z',
  'Validation error: total must be exact, or absent',
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
      fc.property(
        fc.tuple(value, value, value, value, value, value),
        ([limit, offset, cursor, from, before, total]) => {
          try {
            const times = { created_from: from, created_before: before };
            const page = parsePage({ limit, offset, cursor, ...times, total });
            expect(Number.isInteger(page.limit) && page.limit >= 1 && page.limit <= 1000).toBe(true);
            expect(Number.isInteger(page.offset) && page.offset >= 0 && page.offset <= 2_147_483_647).toBe(
              true,
            );
          } catch (error) {
            if (!(error instanceof ValidationError)) throw error;
            expect(MESSAGES).toContain(error.message);
          }
        },
      ),
      RUNS,
    );
  });

  it.each([
    ['2026-11-01T00:00:00Z', '2026-11-01T00:00:00.000000Z'],
    ['2026-11-01T12:34Z', '2026-11-01T12:34:00.000000Z'],
    ['2026-11-01T12:34:56.1Z', '2026-11-01T12:34:56.100000Z'],
    ['2026-11-01T12:34:56.123456Z', '2026-11-01T12:34:56.123456Z'],
    ['2026-11-01T00:30:00.000001+01:00', '2026-10-31T23:30:00.000001Z'],
    ['2026-12-31T23:00:00-05:30', '2027-01-01T04:30:00.000000Z'],
    ['2024-02-29T23:59:59-00:00', '2024-02-29T23:59:59.000000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000000Z'],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
  ])('takes the time %s', (text, utc) => {
    const page = parsePage({ created_from: text, created_before: text });

    expect(page).toMatchObject({ createdFrom: utc, createdBefore: utc });
    expect(parsePage({ created_from: utc }).createdFrom).toBe(utc);
  });

  it('takes every microsecond of the years 1 to 9999 in every zone, and no other', () => {
    const [first, last] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];
    const around = (ms: number) => fc.integer({ min: ms - 80_000_000, max: ms + 80_000_000 });
    const milliseconds = fc.oneof(fc.integer({ min: first, max: last }), around(first), around(last));

    fc.assert(
      fc.property(milliseconds, fc.nat(999), fc.integer({ min: -1439, max: 1439 }), (ms, micros, minutes) => {
        const local = new Date(ms + minutes * 60_000).toISOString();
        fc.pre(/^\d{4}-/.test(local));
        const digits = String(micros).padStart(3, '0');
        const [hour, minute] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
        const zone = `${minutes < 0 ? '-' : '+'}${[hour, minute].map((each) => String(each).padStart(2, '0')).join(':')}`;
        const parse = () => parsePage({ created_from: local.replace('Z', `${digits}${zone}`) }).createdFrom;
        if (ms >= first && ms <= last)
          expect(parse()).toBe(new Date(ms).toISOString().replace('Z', `${digits}Z`));
        else expect(parse).toThrow(ValidationError);
      }),
      RUNS,
    );
  });

  it.each([
    '',
    ' ',
    'now',
    'infinity',
    '1761955200',
    '2026-11-01',
    '2026-11-01Z',
    '2026-11-01T00:00:00',
    '2026-11-01 00:00:00Z',
    '2026-11-01T00:00:00 01:00', // What a + in a query stands for.
    '2026-11-01t00:00:00z',
    '2026-11-01T00:00:00UTC',
    '2026-11-01T00:00:00+0100',
    '2026-11-01T00:00:00+24:00',
    '2026-11-01T00:00:00+01:60',
    '2026-11-01T24:00:00Z',
    '2026-11-01T23:60:00Z',
    '2026-11-01T23:59:60Z',
    '2026-11-01T00:00:00.Z',
    '2026-11-01T00:00:00.1234567Z',
    '2026-11-01T00:00.5Z',
    '2026-02-29T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:00-00:01',
    '10000-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '-000001-01-01T00:00:00Z',
    '2026-11-01T00:00:00Z\n',
    '2026-11-01T00:00:00Z--',
  ])('rejects the time %j, by the name of its parameter', (text) => {
    const parse = (): unknown => parsePage({ created_from: text, created_before: text, total: 'none' });

    expect(parse).toThrow(
      expect.objectContaining({
        message: MESSAGES[3],
        brokenRules: [
          { field: 'created_from', message: 'created_from must be a time such as 2026-11-01T00:00:00Z' },
          { field: 'created_before', message: 'created_before must be a time such as 2026-11-01T00:00:00Z' },
          { field: 'total', message: 'total must be exact, or absent' },
        ],
      }) as Error,
    );
  });
});

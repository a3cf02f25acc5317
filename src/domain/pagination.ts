import Joi from 'joi';
import { validator } from './validator';

/** How many users a page holds, and how many it may skip. */
export const PAGE_LIMIT = { min: 1, max: 1000, default: 100 };
export const PAGE_OFFSET = { min: 0, max: 2_147_483_647, default: 0 };

/** A position in the list of users, which is ordered by these two, descending. */
export interface PageCursor {
  /**
   * Microseconds since 1970, as text, since no number holds all; `infinity` or `-infinity`. PostgreSQL tells rows of one
   * millisecond apart. Null when the row has no time.
   */
  readonly createdAtMicros: string | null;
  readonly id: number;
}

/** With `after`, the rows after that position, of which the first `offset` are skipped. */
export interface PageRequest {
  readonly limit: number;
  readonly offset: number;
  readonly after?: PageCursor;
}

// Of PostgreSQL's timestamps: from 4713 BC to the end of 294276.
const [MIN_MICROS, MAX_MICROS] = [-210_866_803_200_000_000n, 9_224_318_015_999_999_999n];
const CURSOR = /^(0|-?[1-9]\d{0,18}|-?infinity)?,(-?\d{1,16})$/;

// Decimal digits only: Number() would also take 1e3, 0x10 and blanks.
function decimal({ min, max }: typeof PAGE_LIMIT): Joi.CustomValidator<string, number> {
  return (text, helpers) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : helpers.error('any.invalid');
  };
}

function parameter(limits: typeof PAGE_LIMIT): Joi.Schema {
  const message = `{{#label}} must be a whole number from ${limits.min} to ${limits.max}`;
  return Joi.string().custom(decimal(limits)).default(limits.default).messages({ '*': message });
}

const position: Joi.CustomValidator<string, PageCursor> = (text, helpers) => {
  const [, micros = null, id] = CURSOR.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  const after = { createdAtMicros: micros, id: Number(id) };
  // Compared as a whole: the decoder skips what is no base64url, and -0 or 007 are numbers, too.
  const isOurs = isTime(micros) && Number.isSafeInteger(after.id) && encodeCursor(after) === text;
  return isOurs ? after : helpers.error('any.invalid');
};

function isTime(micros: string | null): boolean {
  if (micros === null || micros.endsWith('infinity')) return true;
  return BigInt(micros) >= MIN_MICROS && BigInt(micros) <= MAX_MICROS;
}

const pageSchema = Joi.object<{ limit: number; offset: number; cursor?: PageCursor }>({
  limit: parameter(PAGE_LIMIT),
  offset: parameter(PAGE_OFFSET),
  cursor: Joi.string()
    .custom(position)
    .messages({ '*': '{{#label}} must be one that a Link header of this list gave' }),
});
const validate = validator(pageSchema);

/** The page that a list query asks for: the rows after `cursor`, or else after the first `offset`. Throws ValidationError. */
export function parsePage(query: unknown): PageRequest {
  const { cursor, ...page } = validate(query);
  return cursor === undefined ? page : { ...page, after: cursor };
}

/** What stands for a cursor in a link. */
export function encodeCursor({ createdAtMicros, id }: PageCursor): string {
  return Buffer.from(`${createdAtMicros ?? ''},${id}`).toString('base64url');
}

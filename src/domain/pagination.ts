import Joi from 'joi';
import { validator } from './validator';

/** How many users a page holds, and how many it may skip. */
export const PAGE_LIMIT = { min: 1, max: 1000, default: 100 };
export const PAGE_OFFSET = { min: 0, max: 2_147_483_647, default: 0 };

/** How the times of a window are written: ISO 8601 with a zone, to the microsecond. */
export const TIME_FORMAT =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:Z|([+-](?:[01]\d|2[0-3])):([0-5]\d))$/;

/** A position in the list of users, which is ordered by these two, descending. */
export interface PageCursor {
  /**
   * Microseconds since 1970, as text, since no number holds all; `infinity` or `-infinity`. PostgreSQL tells rows of one
   * millisecond apart. Null when the row has no time.
   */
  readonly createdAtMicros: string | null;
  readonly id: number;
}

/** Users by the time of their row: ISO 8601 in UTC, with all six digits of the microseconds, years 1 to 9999. */
export interface CreatedWindow {
  /** Inclusive. */
  readonly createdFrom?: string | undefined;
  /** Exclusive. */
  readonly createdBefore?: string | undefined;
}

/** Of the window's rows those after the position, if one is given, of which the first `offset` are skipped. */
export interface PageRequest extends CreatedWindow {
  readonly limit: number;
  readonly offset: number;
  readonly after?: PageCursor | undefined;
  /** With it, the rows of the window are counted. */
  readonly total?: 'exact' | undefined;
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

// By hand: a Date has no microseconds, and takes 24:00:00 and 30 February for another day.
const time: Joi.CustomValidator<string, string> = (text, helpers) => {
  const [, minute = '', second = '00', micros = '', hours = '+00', minutes = '00'] =
    TIME_FORMAT.exec(text) ?? [];
  const local = `${minute}:${second}.000Z`;
  const date = new Date(local);
  const isDate = !Number.isNaN(date.getTime()) && date.toISOString() === local;
  const offsetMinutes = Number(hours) * 60 + Number(`${hours.charAt(0)}${minutes}`);
  const utc = isDate ? new Date(date.getTime() - offsetMinutes * 60_000).toISOString() : '';
  if (!/^(?!0000)\d{4}-/.test(utc)) return helpers.error('any.invalid');
  return utc.replace('000Z', `${micros.padEnd(6, '0')}Z`);
};

const timeParameter = Joi.string()
  .custom(time)
  .messages({ '*': '{{#label}} must be a time such as 2026-11-01T00:00:00Z' });

interface PageQuery extends Pick<PageRequest, 'limit' | 'offset' | 'total'> {
  readonly cursor?: PageCursor;
  readonly created_from?: string;
  readonly created_before?: string;
}

const pageSchema = Joi.object<PageQuery>({
  limit: parameter(PAGE_LIMIT),
  offset: parameter(PAGE_OFFSET),
  cursor: Joi.string()
    .custom(position)
    .messages({ '*': '{{#label}} must be one that a Link header of this list gave' }),
  created_from: timeParameter,
  created_before: timeParameter,
  total: Joi.valid('exact').messages({ '*': '{{#label}} must be exact, or absent' }),
});
const validate = validator(pageSchema);

/** The page that a list query asks for: the rows after `cursor`, or else after the first `offset`. Throws ValidationError. */
export function parsePage(query: unknown): PageRequest {
  const { cursor, created_from: createdFrom, created_before: createdBefore, ...page } = validate(query);
  return { ...page, after: cursor, createdFrom, createdBefore };
}

/** What stands for a cursor in a link. */
export function encodeCursor({ createdAtMicros, id }: PageCursor): string {
  return Buffer.from(`${createdAtMicros ?? ''},${id}`).toString('base64url');
}

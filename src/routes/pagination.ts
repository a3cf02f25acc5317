import Joi from 'joi';
import { PAGE_LIMIT, PAGE_OFFSET } from '../domain/user';
import { validator } from '../domain/validation';
import type { PageCursor, PageRequest } from '../services/ports/stores';

const MAX_ID = 2_147_483_647;
const CURSOR = /^(-?\d{1,16})?,(-?\d{1,10})$/;

// Decimal digits only: Number() would also take 1e3, 0x10 and blanks.
function decimal({ min, max }: typeof PAGE_LIMIT): Joi.CustomValidator<string, number> {
  return (text, helpers) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : helpers.error('page.range', { min, max });
  };
}

function parameter(limits: typeof PAGE_LIMIT): Joi.Schema {
  const message = `{{#label}} must be a whole number from ${limits.min} to ${limits.max}`;
  return Joi.string()
    .custom(decimal(limits))
    .default(limits.default)
    .messages({ 'page.range': message, 'string.base': message, 'string.empty': message });
}

const position: Joi.CustomValidator<string, PageCursor> = (text, helpers) => {
  const [, micros, id] = CURSOR.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  const after = { createdAtMicros: micros === undefined ? null : Number(micros), id: Number(id) };
  const isInRange = Number.isSafeInteger(after.createdAtMicros ?? 0) && Math.abs(after.id) <= MAX_ID;
  // Compared as a whole: the decoder skips what is no base64url, and -0 or 007 are numbers, too.
  return isInRange && cursorOf(after) === text ? after : helpers.error('page.cursor');
};

const cursorMessage = '{{#label}} must be one that a Link header of this list gave';

const pageSchema = Joi.object<{ limit: number; offset: number; cursor?: PageCursor }>({
  limit: parameter(PAGE_LIMIT),
  offset: parameter(PAGE_OFFSET),
  cursor: Joi.string()
    .custom(position)
    .messages({ 'page.cursor': cursorMessage, 'string.base': cursorMessage, 'string.empty': cursorMessage }),
});
const validate = validator(pageSchema);

/** The page that a list query asks for: the rows after `cursor`, or else after the first `offset`. Throws ValidationError. */
export function parsePage(query: unknown): PageRequest {
  const { cursor, ...page } = validate(query);
  return cursor === undefined ? page : { ...page, after: cursor };
}

/** The Link header's value (RFC 8288) for the page after this cursor. */
export function nextLink(limit: number, position: PageCursor): string {
  return `</api/users?limit=${limit}&cursor=${cursorOf(position)}>; rel="next"`;
}

function cursorOf({ createdAtMicros, id }: PageCursor): string {
  return Buffer.from(`${createdAtMicros ?? ''},${id}`).toString('base64url');
}

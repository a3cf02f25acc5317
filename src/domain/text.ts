import Joi from 'joi';

const LONE_SURROGATE = /\p{Cs}/u;
const CONTROL = /\p{Cc}/u;
const BIDI_OVERRIDE = /[\u202A-\u202E\u2066-\u2069]/u;
const VISIBLE = /[^\p{Default_Ignorable_Code_Point}\p{Cf}\p{Z}]/u;

/** Messages of the errors of rejectUnprintable. */
export const TEXT_MESSAGES = {
  'text.surrogate': '{{#label}} must not contain a lone surrogate',
  'text.control': '{{#label}} must not contain a NUL or control character',
  'text.bidi': '{{#label}} must not contain a bidirectional override character',
  'text.invisible': '{{#label}} must contain a visible character',
};

const rejectUnprintable: Joi.CustomValidator<string> = (value, helpers) => {
  if (LONE_SURROGATE.test(value)) return helpers.error('text.surrogate');
  if (CONTROL.test(value)) return helpers.error('text.control');
  if (BIDI_OVERRIDE.test(value)) return helpers.error('text.bidi');
  if (!VISIBLE.test(value)) return helpers.error('text.invisible');
  return value;
};

/** A trimmed, required string that every store can hold and every terminal can show: the first rule of each text field. */
export function printableText(): Joi.StringSchema {
  return Joi.string().trim().required().custom(rejectUnprintable);
}

/** Rejects text outside `min`–`max` Unicode code points (Joi's own rules count UTF-16 units), in Joi's words. */
export function codePointsBetween(min: number, max: number): Joi.CustomValidator<string> {
  return (value, helpers) => {
    const length = Array.from(value).length;
    if (length < min) return helpers.error('string.min', { limit: min });
    if (length > max) return helpers.error('string.max', { limit: max });
    return value;
  };
}

import Joi from 'joi';

const LONE_SURROGATE = /\p{Cs}/u;
const CONTROL = /\p{Cc}/u;
const BIDI_OVERRIDE = /[\u202A-\u202E\u2066-\u2069]/u;
// The last five are letters or symbols to Unicode: a blank in Braille and two among the hieroglyphs, the object
// replacement character, and the note without a head.
const UNSEEN = String.raw`\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\p{Cf}\p{Z}\u2800\uFFFC\u{13441}\u{13442}\u{1D159}`;
// A mark is seen on a character only.
const VISIBLE = new RegExp(`[^${UNSEEN}\\p{M}]`, 'u');
/** A character that leaves no trace, wherever it stands. */
export const INVISIBLE = new RegExp(`[${UNSEEN}]`, 'u');

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

/**
 * The text in NFC, its one form however it was typed; undefined when that has more than `max` code points. Lengths come
 * first, because NFC takes quadratic time: 16 kB of combining marks in the wrong order cost 25 ms.
 */
export function toNfc(text: string, max: number): string | undefined {
  // No code point of NFC stands for more than four others.
  if (Array.from(text).length > 4 * max) return undefined;
  const nfc = text.normalize('NFC');
  return Array.from(nfc).length > max ? undefined : nfc;
}

/** Brings text to NFC; rejects what is then outside `min`–`max` code points (Joi counts UTF-16 units), in Joi's words. */
export function nfcText(min: number, max: number): Joi.CustomValidator<string> {
  return (value, helpers) => {
    const text = toNfc(value, max);
    if (text === undefined) return helpers.error('string.max', { limit: max });
    return Array.from(text).length < min ? helpers.error('string.min', { limit: min }) : text;
  };
}

import Joi from 'joi';
import { emailSchema } from './email';
import { readPlainRegistration } from './plain-registration';
import { GENDERS, MAX_NAME_LENGTH, MAX_OCCUPATION_LENGTH, MIN_LENGTH, SEXES } from './registration-limits';
import { codePointsBetween, printableText } from './text';
import { validator } from './validation';

/** What a person submits, validated, trimmed and with a canonical e-mail. */
export interface Registration {
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  readonly gender: string;
  readonly sex: string;
  readonly occupation: string;
}

function sizedText(maxCodePoints: number): Joi.StringSchema {
  return printableText().custom(codePointsBetween(MIN_LENGTH, maxCodePoints));
}

// The keys stand in the order of the README's rules: the first failing one is reported.
const registrationSchema = Joi.object<Registration>({
  firstName: sizedText(MAX_NAME_LENGTH),
  lastName: sizedText(MAX_NAME_LENGTH),
  // The message for empty text below speaks of a length, which an e-mail has no rule for.
  email: emailSchema.messages({ 'string.empty': '{{#label}} is not allowed to be empty' }),
  gender: Joi.string()
    .trim()
    .required()
    .valid(...GENDERS),
  sex: Joi.string()
    .trim()
    .required()
    .valid(...SEXES),
  occupation: sizedText(MAX_OCCUPATION_LENGTH),
})
  .required()
  .label('body')
  .messages({ 'string.empty': `{{#label}} length must be at least ${MIN_LENGTH} characters long` });
const applyRules = validator(registrationSchema);

/**
 * Validates a submission from any source (HTTP body, Kafka record): unknown fields are dropped, nothing is coerced.
 * Throws ValidationError with the first broken rule, in the README's wording.
 */
export function parseRegistration(input: unknown): Registration {
  return readPlainRegistration(input) ?? applyAllRules(input);
}

/** parseRegistration() without its short cut. */
export function applyAllRules(input: unknown): Registration {
  // Joi would parse a string that looks like JSON; a JSON string is not a registration.
  const candidate = typeof input === 'string' ? 0 : input;
  return applyRules(candidate);
}

/** Whether two submissions say the same in all six fields. */
export function isSameRegistration(a: Registration, b: Registration): boolean {
  return (
    a.email === b.email &&
    a.firstName === b.firstName &&
    a.lastName === b.lastName &&
    a.gender === b.gender &&
    a.sex === b.sex &&
    a.occupation === b.occupation
  );
}

import Joi from 'joi';
import { emailSchema } from './email';
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

const MIN_LENGTH = 2;

function sizedText(maxCodePoints: number): Joi.StringSchema {
  return printableText().custom(codePointsBetween(MIN_LENGTH, maxCodePoints));
}

// The keys stand in the order of the README's rules: the first failing one is reported.
const registrationSchema = Joi.object<Registration>({
  firstName: sizedText(100),
  lastName: sizedText(100),
  // The message for empty text below speaks of a length, which an e-mail has no rule for.
  email: emailSchema.messages({ 'string.empty': '{{#label}} is not allowed to be empty' }),
  gender: Joi.string().trim().required().valid('male', 'female', 'non-binary', 'prefer-not-to-say'),
  sex: Joi.string().trim().required().valid('male', 'female', 'intersex'),
  occupation: sizedText(255),
})
  .required()
  .label('body')
  .messages({ 'string.empty': `{{#label}} length must be at least ${MIN_LENGTH} characters long` });
const validate = validator(registrationSchema);

/**
 * Validates a submission from any source (HTTP body, Kafka record): unknown fields are dropped, nothing is coerced.
 * Throws ValidationError with the first broken rule, in the README's wording.
 */
export function parseRegistration(input: unknown): Registration {
  // Joi would parse a string that looks like JSON; a JSON string is not a registration.
  const candidate = typeof input === 'string' ? 0 : input;
  return validate(candidate);
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

import type Joi from 'joi';
import { ValidationError } from './errors';

/** The input after the schema's rules. Throws ValidationError with the first broken one, in the README's wording. */
export function validate<T>(schema: Joi.Schema<T>, input: unknown): T {
  const options = { stripUnknown: true, errors: { wrap: { label: false as const } } };
  const result = schema.validate(input, options);
  if (result.error) throw new ValidationError(`Validation error: ${result.error.message}`);
  return result.value;
}

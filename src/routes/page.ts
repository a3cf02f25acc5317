import Joi from 'joi';
import { validator } from '../domain/validation';

const MAX_LIMIT = 1000;
const MAX_OFFSET = 2_147_483_647;

// Decimal digits only: Number() would also take 1e3, 0x10 and blanks.
function decimal(min: number, max: number): Joi.CustomValidator<string, number> {
  return (text, helpers) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : helpers.error('page.range', { min, max });
  };
}

function parameter(min: number, max: number, value: number): Joi.Schema {
  const message = `{{#label}} must be a whole number from ${min} to ${max}`;
  return Joi.string()
    .custom(decimal(min, max))
    .default(value)
    .messages({ 'page.range': message, 'string.base': message, 'string.empty': message });
}

const pageSchema = Joi.object<{ limit: number; offset: number }>({
  limit: parameter(1, MAX_LIMIT, 100),
  offset: parameter(0, MAX_OFFSET, 0),
});

/** The page a list query asks for. Throws ValidationError. */
export const parsePage = validator(pageSchema);

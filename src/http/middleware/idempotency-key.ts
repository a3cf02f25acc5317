import type { IncomingMessage } from 'node:http';
import { ValidationError } from '../../domain/errors';

const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;
const MESSAGE = 'Idempotency-Key must be 1 to 255 visible ASCII characters without blanks';

/** The request's `Idempotency-Key`, if it has one. Throws ValidationError unless it is 1 to 255 visible ASCII characters. */
export function idempotencyKeyOf(req: IncomingMessage): string | undefined {
  const key = req.headers['idempotency-key'];
  if (key === undefined) return undefined;
  // Node joins repeated headers with a comma and a space, so they are rejected, too.
  if (typeof key === 'string' && VISIBLE_ASCII.test(key)) return key;
  throw new ValidationError(`Validation error: ${MESSAGE}`, [{ field: 'Idempotency-Key', message: MESSAGE }]);
}

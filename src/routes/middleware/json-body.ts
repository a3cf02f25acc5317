import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import express, { type RequestHandler } from 'express';
import { MalformedBodyError, UnsupportedMediaTypeError } from './http-errors';

const MAX_BODY = '16kb';
const NO_BODY = Buffer.alloc(0);
const keptBodies = new WeakMap<IncomingMessage, Buffer>();

/** Refuses bodies of another type: 415. */
export const requireJson: RequestHandler = (req, _res, next) => {
  // null: there is no body, which the validation reports.
  next(req.is('application/json') === false ? new UnsupportedMediaTypeError() : undefined);
};

/** Reads a JSON body of at most 16 kB into req.body: else 400, 413 or 415. */
export const parseJson = express.json({
  limit: MAX_BODY,
  // A JSON string or number is well-formed; that it is no registration is for the validation to say.
  strict: false,
  verify: (req, _res, body, encoding) => {
    // The decoder would store U+FFFD in place of broken bytes.
    if (encoding === 'utf-8' && !isUtf8(body)) throw new MalformedBodyError();
    if (req.headers['idempotency-key'] !== undefined) keptBodies.set(req, body);
  },
});

/** The bytes that parseJson has read (unpacked), of a request with an `Idempotency-Key`. */
export function bodyBytesOf(req: IncomingMessage): Buffer {
  return keptBodies.get(req) ?? NO_BODY;
}

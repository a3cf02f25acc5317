import { isUtf8 } from 'node:buffer';
import express, { type RequestHandler } from 'express';
import { MalformedBodyError, UnsupportedMediaTypeError } from './http-errors';

const MAX_BODY = '16kb';

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
  verify: (_req, _res, body, encoding) => {
    // The decoder would store U+FFFD in place of broken bytes.
    if (encoding === 'utf-8' && !isUtf8(body)) throw new MalformedBodyError();
  },
});

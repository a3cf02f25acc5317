import { AsyncResource } from 'node:async_hooks';
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import express, { type NextFunction, type Request, type RequestHandler } from 'express';
import { httpError } from '../errors';

const MAX_BYTES = 16 * 1024;
const BYTE_ORDER_MARK = '\ufeff';
const NO_BODY = Buffer.alloc(0);
const keptBodies = new WeakMap<IncomingMessage, Buffer>();
const malformed = new WeakSet<IncomingMessage>();

const parseByExpress: RequestHandler = express.json({
  limit: MAX_BYTES,
  // A JSON string or number is well-formed; that it is no registration is for the validation to say.
  strict: false,
  verify: (req, _res, body, encoding) => {
    keep(req, body);
    if (encoding === 'utf-8') checkUtf8(body);
  },
});

/**
 * Reads a JSON body of at most 16 kB into req.body: else 400, 413 or 415. With an `Idempotency-Key` malformed JSON passes:
 * that the answer is 400 is for the route to say and to keep.
 */
export const parseJson: RequestHandler = (req, res, next) => {
  if (isPlain(req.headers)) readPlain(req, next);
  // null: there is no body, which the validation reports.
  else if (req.is('application/json') === false) next(httpError('unsupportedMediaType'));
  else parseByExpress(req, res, (error?: unknown) => goOn(req, error, next));
};

/** The bytes that parseJson has read (unpacked), of a request with an `Idempotency-Key`. */
export function bodyBytesOf(req: IncomingMessage): Buffer {
  return keptBodies.get(req) ?? NO_BODY;
}

/** Whether they are no JSON. */
export function isMalformed(req: IncomingMessage): boolean {
  return malformed.has(req);
}

// What nearly all clients send needs none of Express's decoding, limits and negotiation: a tenth of its cost.
function isPlain(headers: IncomingHttpHeaders): boolean {
  const { 'content-type': type, 'content-length': length, 'content-encoding': encoding } = headers;
  const isShort = Number(length) > 0 && Number(length) <= MAX_BYTES;
  return (
    isShort &&
    encoding === undefined &&
    (type === 'application/json' || type === 'application/json; charset=utf-8')
  );
}

function readPlain(req: Request, next: NextFunction): void {
  const chunks: Buffer[] = [];
  // Node emits the body's events outside of the request's trace, which goes on behind them.
  const context = new AsyncResource('JSON body');
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => context.runInAsyncScope(takeIn, undefined, req, chunks, next));
}

function takeIn(req: Request, chunks: readonly Buffer[], next: NextFunction): void {
  let problem: unknown;
  try {
    req.body = parse(req, Buffer.concat(chunks));
  } catch (error) {
    problem = error;
  }
  goOn(req, problem, next);
}

function goOn(req: Request, error: unknown, next: NextFunction): void {
  const isMalformedBody =
    (error as { errorName?: unknown } | undefined)?.errorName === 'malformedBody' ||
    (error as { type?: unknown } | undefined)?.type === 'entity.parse.failed';
  if (!isMalformedBody || !keptBodies.has(req)) {
    next(error);
    return;
  }
  malformed.add(req);
  next();
}

function parse(req: IncomingMessage, body: Buffer): unknown {
  keep(req, body);
  checkUtf8(body);
  const text = body.toString();
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch {
    throw httpError('malformedBody');
  }
}

// A decoder would store U+FFFD in place of broken bytes.
function checkUtf8(body: Buffer): void {
  if (!isUtf8(body)) throw httpError('malformedBody');
}

function keep(req: IncomingMessage, body: Buffer): void {
  if (req.headers['idempotency-key'] !== undefined) keptBodies.set(req, body);
}

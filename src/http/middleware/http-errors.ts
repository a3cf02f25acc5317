/** Errors that only HTTP knows; the error handler turns them into answers. */
export class TooManyRequestsError extends Error {
  override readonly name = 'TooManyRequestsError';
}

export class UnauthorizedError extends Error {
  override readonly name = 'UnauthorizedError';
}

export class UnsupportedMediaTypeError extends Error {
  override readonly name = 'UnsupportedMediaTypeError';
}

export class MalformedBodyError extends Error {
  override readonly name = 'MalformedBodyError';
}

export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

export class MethodNotAllowedError extends Error {
  override readonly name = 'MethodNotAllowedError';
}

export class AmbiguousRequestError extends Error {
  override readonly name = 'AmbiguousRequestError';
}

export class TooManyHeadersError extends Error {
  override readonly name = 'TooManyHeadersError';
}

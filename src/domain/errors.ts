/** The caller sent something that breaks rules. The message names the first; no text holds a submitted value. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError';

  /** `brokenRules`: in the README's order, the first of each field; none when no field is to blame. */
  constructor(
    message: string,
    readonly brokenRules: readonly { readonly field: string; readonly message: string }[] = [],
  ) {
    super(message);
  }
}

/** The email already has a row; it is never overwritten. */
export class AlreadyRegisteredError extends Error {
  override readonly name = 'AlreadyRegisteredError';
}

/** The row is so young that an erasure could not tell its record from a later registration. */
export class RecentlyRegisteredError extends Error {
  override readonly name = 'RecentlyRegisteredError';
}

/** Another registration of the same email, with other fields, is pending. */
export class RegistrationInProgressError extends Error {
  override readonly name = 'RegistrationInProgressError';
}

/** The idempotency key came with another body before. */
export class IdempotencyKeyReusedError extends Error {
  override readonly name = 'IdempotencyKeyReusedError';
}

/** An earlier request with the same idempotency key is still in flight. */
export class IdempotentRequestInProgressError extends Error {
  override readonly name = 'IdempotentRequestInProgressError';
}

/** No user has this email. */
export class UserNotFoundError extends Error {
  override readonly name = 'UserNotFoundError';
}

/** A dependency is unavailable, slow or overloaded: transient, the same call may work later. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}

/** PostgreSQL rejects a statement, be it for its data or for the set-up. Names the constraint or column, never data. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError';

  constructor(
    readonly sqlState: string,
    readonly constraint?: string,
    options?: ErrorOptions,
  ) {
    super(`PostgreSQL rejects it (SQLSTATE ${sqlState}${constraint ? `, ${constraint}` : ''})`, options);
  }

  /** The statement took too long: a smaller one may not. */
  get isTimeout(): boolean {
    return this.sqlState === '57014';
  }
}

/** A server responds but could not do this service's work. The message is the hint: what, where, and what to change. */
export class UnsuitableServerError extends Error {
  override readonly name = 'UnsuitableServerError';
}

/** The caller sent something that breaks a rule; the message names the rule and holds no submitted value. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError';
}

/** The e-mail already has a row; it is never overwritten. */
export class AlreadyRegisteredError extends Error {
  override readonly name = 'AlreadyRegisteredError';
}

/** Another registration of the same e-mail, with other fields, is on its way. */
export class RegistrationInProgressError extends Error {
  override readonly name = 'RegistrationInProgressError';
}

/** The idempotency key came with another body before. */
export class IdempotencyKeyReusedError extends Error {
  override readonly name = 'IdempotencyKeyReusedError';
}

/** An earlier request with the same idempotency key is not through yet. */
export class IdempotentRequestInProgressError extends Error {
  override readonly name = 'IdempotentRequestInProgressError';
}

/** No user has this e-mail. */
export class UserNotFoundError extends Error {
  override readonly name = 'UserNotFoundError';
}

/** A dependency is away, slow or overloaded: transient, the same call may work later. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}

/** The database refuses this data for good: trying again cannot help. */
export class UnstorableError extends Error {
  override readonly name = 'UnstorableError';
}

import { createHash } from 'node:crypto';

/** The service's keys and their lifetimes in seconds. */
export const PENDING_TTL_SECONDS = 60 * 60;
export const COMPLETED_TTL_SECONDS = 24 * 60 * 60;
export const FAILED_TTL_SECONDS = 24 * 60 * 60;
export const IDEMPOTENCY_TTL_SECONDS = 24 * 60 * 60;

/** Followed by the client's address; lives as long as the limiter's window. */
export const RATE_LIMIT_PREFIX = 'rate-limit:';

/** Written by the background check, one for each prefix that the service's user needs. */
export const CHECK_KEYS = ['user:check', 'idempotency:check', `${RATE_LIMIT_PREFIX}check`];
export const CHECK_TTL_SECONDS = 60;

export const pendingKey = (email: string): string => `user:pending:${email}`;
export const completedKey = (email: string): string => `user:completed:${email}`;
export const failedKey = (email: string): string => `user:failed:${email}`;
/** A client may put anything into its key, so that only a digest of it is stored. */
export const idempotencyKey = (key: string): string =>
  `idempotency:${createHash('sha256').update(key).digest('hex')}`;

/** What a key holds as JSON; undefined when it is none: what cannot be read counts as absent. */
export function parseEntry<T>(entry: string | null): Partial<T> | null | undefined {
  try {
    return JSON.parse(entry ?? '') as Partial<T> | null;
  } catch {
    return undefined;
  }
}

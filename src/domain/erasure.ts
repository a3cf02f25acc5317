import { createHash } from 'node:crypto';

/** When an email was last erased, by PostgreSQL's clock, and the events that were on their way then. */
export interface Erasure {
  readonly erasedAtMs: number;
  readonly eventIds: readonly string[];
}

/** What tells when a registration was made. Without both it counts as new. */
export interface Origin {
  readonly eventId?: string | undefined;
  /** Epoch milliseconds, by the clock of the process that accepted it. */
  readonly acceptedAtMs?: number | undefined;
}

/**
 * The clocks of PostgreSQL and of processes may differ by less than this. What was accepted later than this before an
 * erasure counts as made after it, unless its event is known: a row younger than twice this is not erased yet.
 */
export const CLOCK_MARGIN_MS = 5000;

/**
 * Whether the registration was made before the erasure of its email. An event that was on its way then may be accepted anew
 * after it. The writer's INSERT has the same rule in SQL.
 */
export function isErased({ eventId = '', acceptedAtMs }: Origin, erasure: Erasure | undefined): boolean {
  if (erasure === undefined) return false;
  const afterMs = acceptedAtMs === undefined ? 0 : acceptedAtMs - erasure.erasedAtMs;
  return afterMs < (erasure.eventIds.includes(eventId) ? CLOCK_MARGIN_MS : -CLOCK_MARGIN_MS);
}

/** What is kept in place of the email: its SHA-256, in hexadecimal digits. */
export function emailDigest(email: string): string {
  return createHash('sha256').update(email).digest('hex');
}

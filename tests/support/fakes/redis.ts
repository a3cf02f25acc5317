import type { User } from '../../../src/domain/stored-user';
import type { FailureReason, RegistrationEvent } from '../../../src/services/ports/messaging';
import type {
  AttemptResult,
  FailureMarks,
  IdempotencyClaim,
  IdempotencyStore,
  IdempotentAttempt,
  ReservationReader,
  Reservations,
  StoredReservation,
  UserCache,
} from '../../../src/services/ports/stores';
import { Dependency } from './dependency';

export class InMemoryReservations extends Dependency implements Reservations {
  readonly entries = new Map<string, RegistrationEvent>();

  async reserve(candidate: RegistrationEvent): Promise<RegistrationEvent | undefined> {
    this.reach();
    const { email } = candidate.registration;
    if (!this.entries.has(email)) this.entries.set(email, candidate);
    return Promise.resolve(this.entries.get(email));
  }

  async isReserved(email: string): Promise<boolean> {
    this.reach();
    return Promise.resolve(this.entries.has(email));
  }

  async release(email: string, eventId: string, after?: Promise<unknown>): Promise<void> {
    this.reach();
    await after;
    if (this.entries.get(email)?.eventId === eventId) this.entries.delete(email);
    return Promise.resolve();
  }

  async clear(emails: readonly string[]): Promise<void> {
    this.reach();
    emails.forEach((email) => this.entries.delete(email));
    return Promise.resolve();
  }
}

export class InMemoryUserCache extends Dependency implements UserCache {
  readonly entries = new Map<string, User>();

  async find(email: string, after?: Promise<unknown>): Promise<User | undefined> {
    this.reach();
    await after;
    return Promise.resolve(this.entries.get(email));
  }

  async put(users: readonly User[]): Promise<void> {
    this.reach();
    users.forEach((user) => this.entries.set(user.email, user));
    return Promise.resolve();
  }

  async remove(emails: readonly string[]): Promise<void> {
    this.reach();
    emails.forEach((email) => this.entries.delete(email));
    return Promise.resolve();
  }
}

export class InMemoryFailureMarks extends Dependency implements FailureMarks {
  readonly entries = new Map<string, FailureReason>();

  async mark(email: string, reason: FailureReason): Promise<void> {
    this.reach();
    this.entries.set(email, reason);
    return Promise.resolve();
  }

  async find(email: string, after?: Promise<unknown>): Promise<FailureReason | undefined> {
    this.reach();
    await after;
    return Promise.resolve(this.entries.get(email));
  }

  async isMarked(email: string): Promise<boolean> {
    this.reach();
    return Promise.resolve(this.entries.has(email));
  }

  async clear(email: string): Promise<void> {
    this.reach();
    this.entries.delete(email);
    return Promise.resolve();
  }
}

interface IdempotencyEntry {
  readonly fingerprint: string;
  readonly attemptId: string | undefined;
  readonly result: 'accepted' | 'unknown' | undefined;
}

export class InMemoryIdempotencyStore extends Dependency implements IdempotencyStore {
  readonly entries = new Map<string, IdempotencyEntry>();
  private readonly expiredLocks = new Set<string>();

  async claim({ key, fingerprint, attemptId }: IdempotentAttempt): Promise<IdempotencyClaim> {
    this.reach();
    const entry = this.entries.get(key);
    if (entry && entry.fingerprint !== fingerprint) return Promise.resolve('registrationMismatch');
    if (entry?.result === 'accepted') return Promise.resolve('completed');
    if (entry?.attemptId !== undefined && !this.expiredLocks.delete(key))
      return Promise.resolve('inProgress');
    const isRetry = entry?.attemptId !== undefined || entry?.result !== undefined;
    this.entries.set(key, { fingerprint, attemptId, result: isRetry ? 'unknown' : undefined });
    return Promise.resolve(isRetry ? 'retry' : 'new');
  }

  async finish({ key, attemptId }: IdempotentAttempt, result: AttemptResult): Promise<void> {
    this.reach();
    const entry = this.entries.get(key);
    if (entry?.attemptId !== attemptId) return Promise.resolve();
    const kept = result === 'rejected' ? entry.result : result;
    this.entries.set(key, { ...entry, attemptId: undefined, result: kept });
    return Promise.resolve();
  }

  /** As when a minute has passed since the claim. */
  expireLock(key: string): void {
    this.expiredLocks.add(key);
  }
}

/** Looks into the fake reservations. */
export class InMemoryReservationReader implements ReservationReader {
  constructor(private readonly pending: InMemoryReservations) {}

  async find(emails: readonly string[]): Promise<StoredReservation[]> {
    return Promise.resolve(this.all().filter(({ email }) => emails.includes(email)));
  }

  async scan(visit: (entries: readonly StoredReservation[]) => Promise<void>): Promise<void> {
    await visit(this.all());
  }

  private all(): StoredReservation[] {
    return [...this.pending.entries].map(([email, event]) => ({ email, event }));
  }
}

import type { Erasure, Origin } from '../../domain/erasure';
import type { RejectedError } from '../../domain/errors';
import type { PageCursor, PageRequest } from '../../domain/pagination';
import type { Registration } from '../../domain/registration';
import type { User } from '../../domain/stored-user';
import type { ErasedUser, FailureReason, RegistrationEvent } from './messaging';

// `after` stands for another call in the same turn of the event loop that Redis has to execute first. Calls without it may
// be executed in any order: their keys may be on different servers.

/** Reservations of emails whose registration is not stored yet (1 hour). Every method may reject with UnavailableError. */
export interface Reservations {
  /**
   * Reserves the email unless it is reserved. Resolves to the holder: the candidate itself, or an earlier one;
   * undefined when the holder's entry cannot be read.
   */
  reserve(candidate: RegistrationEvent): Promise<RegistrationEvent | undefined>;
  /** Whether the email is reserved. */
  isReserved(email: string): Promise<boolean>;
  /** Deletes the reservation if it belongs to this event. */
  release(email: string, eventId: string, after?: Promise<unknown>): Promise<void>;
  /** Deletes the reservations of emails that have a row, of any event. */
  clear(emails: readonly string[]): Promise<void>;
}

/** A reservation as Redis holds it; `event` is undefined when it cannot be read. */
export interface StoredReservation {
  readonly email: string;
  readonly event: RegistrationEvent | undefined;
}

/** Looks at reservations without changing any. Every method may reject with UnavailableError. */
export interface ReservationReader {
  find(emails: readonly string[]): Promise<StoredReservation[]>;
  /** Visits all, some at a time; one may be visited twice while keys come and go. */
  scan(visit: (entries: readonly StoredReservation[]) => Promise<void>): Promise<void>;
}

/** Cache of stored users (24 hours). Every method may reject with UnavailableError. */
export interface UserCache {
  find(email: string, after?: Promise<unknown>): Promise<User | undefined>;
  put(users: readonly User[]): Promise<void>;
  remove(emails: readonly string[]): Promise<void>;
}

/** Marks of registrations that could not be stored (24 hours). Every method may reject with UnavailableError. */
export interface FailureMarks {
  mark(email: string, reason: FailureReason): Promise<void>;
  /** Why the email's last registration was not stored; undefined without a mark. */
  find(email: string, after?: Promise<unknown>): Promise<FailureReason | undefined>;
  /** Whether there is a mark, readable or not. */
  isMarked(email: string): Promise<boolean>;
  /** Forgets the mark: a new reservation was made. */
  clear(email: string): Promise<void>;
}

/** One attempt at a request that carries an idempotency key. */
export interface IdempotentAttempt {
  /** As the client sent it: neither logged nor stored. */
  readonly key: string;
  /** Equal for equal registrations. */
  readonly fingerprint: string;
  /** Names this attempt. */
  readonly attemptId: string;
}

/**
 * What an attempt finds. `new` and `retry` lock the key for it; `retry`: an earlier attempt may have been accepted.
 * `completed`: an earlier attempt was accepted. `inProgress`: another one holds the lock.
 */
export type IdempotencyClaim = 'new' | 'retry' | 'completed' | 'inProgress' | 'registrationMismatch';

/** How an attempt ended. `unknown`: it may have been accepted. */
export type AttemptResult = 'accepted' | 'rejected' | 'unknown';

/** What became of requests with an idempotency key (24 hours). Every method may reject with UnavailableError. */
export interface IdempotencyStore {
  /** Locks the key for this attempt, for a minute at most, if it may go on. */
  claim(attempt: IdempotentAttempt): Promise<IdempotencyClaim>;
  /** Ends the lock, unless another attempt has taken it: the next one goes on at once. */
  finish(attempt: IdempotentAttempt, result: AttemptResult): Promise<void>;
}

export interface UsersPage {
  readonly users: User[];
  /** Of the last user; undefined on the last page. */
  readonly next: PageCursor | undefined;
  /** The users of the window, on all pages; only when asked for. Not of the same snapshot as the page. */
  readonly total?: number | undefined;
}

/** The users table. Every method may reject with UnavailableError. */
export interface Users {
  /** For the request path: looked up in batches, with a short deadline. */
  isRegistered(email: string): Promise<boolean>;
  findByEmail(email: string): Promise<User | undefined>;
  findByEmails(emails: readonly string[]): Promise<User[]>;
  /** Newest first. Going from `next` to `next` skips and repeats no user, whatever is inserted meanwhile. */
  list(page: PageRequest): Promise<UsersPage>;
  /**
   * Inserts those whose email has no row (each email at most once) and commits; never changes a row. Refuses those that
   * were made before their email was erased.
   * Resolves to the stored row of every email, but for those that were refused and have none. Rejects with
   * RejectedError, and stores none of them, when PostgreSQL rejects one, or needs too long for them all.
   */
  insertMissing(registrations: readonly (Registration & Origin)[]): Promise<Map<string, User>>;
  /**
   * An experiment, which stores nothing: resolves when PostgreSQL still rejects this registration and would store another
   * one at the same moment, so that the registration is at fault. Else rejects: with RejectedError when none can be stored.
   */
  confirmRejection(registration: Registration, rejection: RejectedError): Promise<void>;
  /** For the request path, as isRegistered(). */
  findErasure(email: string): Promise<Erasure | undefined>;
  /** Of those emails that were erased. */
  findErasures(emails: readonly string[]): Promise<Map<string, Erasure>>;
}

/** Whom to erase. */
export interface ErasureTarget {
  /** See emailDigest(); each at most once. */
  readonly digest: string;
  /** Canonical; undefined when only the digest is known and no row has it. */
  readonly email?: string | undefined;
  /** Of the registration that is on its way. */
  readonly eventId?: string | undefined;
  /** When it was erased, in epoch ms, if that is to hold again: what came after it is new. Else, or later than now: now. */
  readonly asOfMs?: number | undefined;
}

export interface RecordedErasure extends ErasureTarget, Erasure {
  /** Whether there was a row. */
  readonly row: boolean;
}

/** What the cleaning of Redis needs to know: `user` is the row of a person who has registered anew. */
export interface DueErasure extends Erasure {
  readonly email: string;
  readonly user: User | undefined;
}

/** The erasures, and the rows that they delete. Every method may reject with UnavailableError. */
export interface Erasures {
  /**
   * Deletes the rows and remembers who was erased, in one transaction. Leaves alone, and out of the result, whose row is
   * younger than twice CLOCK_MARGIN_MS.
   */
  erase(targets: readonly ErasureTarget[], requestedBy: string): Promise<RecordedErasure[]>;
  /** The emails of rows with these digests. Reads the whole table. */
  emailsOf(digests: readonly string[]): Promise<string[]>;
  /** Redis was cleaned of these. */
  markSwept(emails: readonly string[]): Promise<void>;
  /**
   * Has some erasures cleaned that are due: not yet, or not since Redis may have older data (it was connected
   * `redisConnectedMs` ago), or not since their age was half of what it is. Resolves to whether there may be more; at once
   * to false while another process does the same.
   */
  sweep(redisConnectedMs: number, clean: (due: readonly DueErasure[]) => Promise<void>): Promise<boolean>;
  /**
   * Has some deleted users announced that are due: at once, and three more times in the two minutes after the first. Then
   * their ids are forgotten. Resolves to whether there may be more; at once to false while another process does the same.
   */
  announce(publish: (users: readonly ErasedUser[]) => Promise<void>): Promise<boolean>;
  /**
   * Forgets, some at a time, the emails that no cache can bring back any more, and erasures older than `memoryDays`.
   * Resolves to how many have not been cleaned once, nor announced once where they must be.
   */
  forget(memoryDays: number, mustAnnounce: boolean): Promise<number>;
}

import type { Registration } from '../domain/registration';
import type { User } from '../domain/user';

/** A registration on its way to the database, and what was known of it when it was accepted. */
export interface RegistrationEvent {
  /** Names this submission; a retry of the same submission carries the same id. */
  readonly eventId: string;
  /** When it was accepted, ISO 8601 in UTC. */
  readonly acceptedAt: string;
  readonly registration: Registration;
}

/** Reservations of emails whose registration is not stored yet (1 hour). Every method may reject with UnavailableError. */
export interface PendingRegistrations {
  /**
   * Reserves the email unless it is reserved. Resolves to the holder: the candidate itself, or an earlier one;
   * undefined when the holder's entry cannot be read.
   */
  reserve(candidate: RegistrationEvent): Promise<RegistrationEvent | undefined>;
  /** Whether the email is reserved. */
  isReserved(email: string): Promise<boolean>;
  /** Deletes the reservation if it belongs to this event. */
  release(email: string, eventId: string): Promise<void>;
  /** Deletes the reservations of emails that have a row, of any event. */
  clear(emails: readonly string[]): Promise<void>;
}

/** A reservation as Redis holds it; `event` is undefined when it cannot be read. */
export interface PendingEntry {
  readonly email: string;
  readonly event: RegistrationEvent | undefined;
}

/** Looks at reservations without changing any. Every method may reject with UnavailableError. */
export interface PendingEntries {
  find(emails: readonly string[]): Promise<PendingEntry[]>;
  /** Visits all, some at a time; one may be visited twice while keys come and go. */
  scan(visit: (entries: readonly PendingEntry[]) => Promise<void>): Promise<void>;
}

/** Cache of stored users (24 hours). Every method may reject with UnavailableError. */
export interface CompletedUsers {
  find(email: string): Promise<User | undefined>;
  put(users: readonly User[]): Promise<void>;
}

/** Marks of registrations that could not be stored (24 hours). Every method may reject with UnavailableError. */
export interface FailedRegistrations {
  mark(email: string, reason: FailureReason): Promise<void>;
  /** Why the email's last registration was not stored; undefined without a mark. */
  find(email: string): Promise<FailureReason | undefined>;
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
export interface IdempotencyRecords {
  /** Locks the key for this attempt, for a minute at most, if it may go on. */
  claim(attempt: IdempotentAttempt): Promise<IdempotencyClaim>;
  /** Ends the lock, unless another attempt has taken it: the next one goes on at once. */
  finish(attempt: IdempotentAttempt, result: AttemptResult): Promise<void>;
}

/** A place in the list of users, which is ordered by these two, descending. */
export interface PagePosition {
  /** Microseconds since 1970: PostgreSQL tells rows of one millisecond apart. Null when the row has no time. */
  readonly createdAtMicros: number | null;
  readonly id: number;
}

/** With `after`, the rows behind that position, of which the first `offset` are skipped. */
export interface PageRequest {
  readonly limit: number;
  readonly offset: number;
  readonly after?: PagePosition;
}

export interface UsersPage {
  readonly users: User[];
  /** Of the last user; undefined when there is nobody behind it. */
  readonly next: PagePosition | undefined;
}

/** The users table. Every method may reject with UnavailableError. */
export interface Users {
  /** For the request path: looked up in batches, with a short deadline. */
  isRegistered(email: string): Promise<boolean>;
  findByEmail(email: string): Promise<User | undefined>;
  findByEmails(emails: readonly string[]): Promise<User[]>;
  /** Newest first. Going from `next` to `next` skips and repeats nobody, whoever is inserted meanwhile. */
  list(page: PageRequest): Promise<UsersPage>;
  /**
   * Inserts those whose e-mail has no row (each e-mail at most once) and commits; never changes a row.
   * Resolves to the stored row of every e-mail. Throws UnstorableError when the database refuses the data for good.
   */
  insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>>;
}

/** The bounded queue in front of Kafka. */
export interface RegistrationQueue {
  /** Claims room for one event, before anything else is done for it. Throws UnavailableError at once when full. */
  claim(): QueueRoom;
}

/** Room for one event in the queue; given back by release(), used up by publish(). */
export interface QueueRoom {
  /** Resolves when Kafka has confirmed the event. It is sent again until then, whoever waits. */
  publish(event: RegistrationEvent, requestId: string): Promise<void>;
  /** Safe after publish(). */
  release(): void;
}

/** Why an email may have no row. */
export const FAILURE_REASONS = ['invalid', 'unstorable'] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** Why a record became no row: after a conflict the email has that of another registration. */
export const DEAD_LETTER_REASONS = [...FAILURE_REASONS, 'conflict'] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

/** A record as Kafka delivered it. */
export interface ReceivedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | null | undefined>>;
}

export interface DeadLetter {
  readonly record: ReceivedRecord;
  readonly reason: DeadLetterReason;
  /** What was wrong, without submitted data. */
  readonly error: string;
}

export interface DeadLetters {
  /** Resolves when Kafka has confirmed them all. Throws UnavailableError. */
  publish(letters: readonly DeadLetter[]): Promise<void>;
}

/** What the background check knows of one dependency. */
export interface DependencyState {
  /** False until the first check is through. */
  readonly isAway: boolean;
}

/** What says whether an email is registered. */
export type Decider = 'redis' | 'postgres';

/** Takes in what the pipeline did; cheap, and never fails. */
export interface Measurements {
  /** For a registration, this one could not say in time whether the email is registered: the other alone decided. */
  decidedWithout(decider: Decider): void;
  /** A send to Kafka ended. */
  sent(seconds: number, isConfirmed: boolean): void;
  /** A batch of records was written. */
  wrote(records: number): void;
  /** A record has its row, this long after it was accepted. */
  stored(seconds: number): void;
  /** A record became a dead letter. */
  buried(reason: DeadLetterReason): void;
}

/** A piece of traced work. */
export interface Span {
  /** W3C `traceparent`: who continues it elsewhere works in the same trace. */
  readonly traceparent: string;
  /** `failure` is one of few fixed words, never submitted data. */
  end(failure?: string): void;
}

/** A traced request. */
export interface RequestSpan {
  /** What `handle` sends to Kafka, now or later, belongs to the request's trace. */
  run(handle: () => void): void;
  /** `route` is the pattern: the path may hold an e-mail. */
  end(answer: {
    readonly method: string;
    readonly route: string;
    readonly status: number | 'aborted';
    readonly requestId: string;
  }): void;
}

/** A batch that was written: `letters` are those of `records` that became no row. Times are performance.now(). */
export interface WrittenBatch {
  readonly records: readonly ReceivedRecord[];
  readonly letters: readonly DeadLetter[];
  readonly startedAt: number;
  readonly insertedAt: number;
}

/**
 * Shows each registration as one trace, from its request to its row. Cheap, never fails, and takes no submitted data.
 * Optional wherever it is used: when tracing is off there is none.
 */
export interface Tracing {
  /** A request came, with this `traceparent`. */
  request(traceparent: string | undefined): RequestSpan;
  /** A record is on its way to this topic until the span ends. */
  send(topic: string): Span;
  /** Every record of a batch is a row, a known duplicate or a dead letter. */
  wrote(batch: WrittenBatch): void;
}

export interface Logger {
  debug(message: string, fields?: object): unknown;
  info(message: string, fields?: object): unknown;
  warn(message: string, fields?: object): unknown;
  error(message: string, fields?: object): unknown;
}

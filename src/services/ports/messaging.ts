import type { Registration } from '../../domain/registration';
import type { User } from '../../domain/stored-user';

/** A registration that is not stored yet, and what was known of it when it was accepted. */
export interface RegistrationEvent {
  /** Names this submission; a retry of the same submission carries the same id. */
  readonly eventId: string;
  /** When it was accepted, ISO 8601 in UTC. */
  readonly acceptedAt: string;
  readonly registration: Registration;
}

/** The bounded queue in front of Kafka. */
export interface RegistrationQueue {
  /** Reserves room for one event, before anything else is done for it. Throws UnavailableError at once when full. */
  acquire(): SendPermit;
}

/** Backpressure permit for one event: given back by release(), used up by publish(). */
export interface SendPermit {
  /** Resolves when Kafka has confirmed the event. It is sent again until then, even when no request waits for it any more. */
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
  /** When the broker wrote it, epoch milliseconds. */
  readonly timestamp?: string;
}

export interface DeadLetter {
  readonly record: ReceivedRecord;
  readonly reason: DeadLetterReason;
  /** What was wrong, without submitted data. */
  readonly error: string;
}

export interface DeadLetters {
  /** Resolves when Kafka has confirmed them all. May reject with UnavailableError. */
  publish(deadLetters: readonly DeadLetter[]): Promise<void>;
}

/** What other programs are told of a user. */
export const USER_EVENT_TYPES = ['registered', 'erased'] as const;

export type UserEventType = (typeof USER_EVENT_TYPES)[number];

export interface RegisteredUser {
  readonly user: User;
  /** Of the registration, if it was traced. */
  readonly traceparent?: string | undefined;
}

export interface ErasedUser {
  readonly id: number;
  /** Epoch milliseconds. */
  readonly erasedAtMs: number;
}

/** Tells other programs who is stored. Both methods resolve when Kafka has confirmed them all; may reject with UnavailableError. */
export interface UserEvents {
  /** `readAt` is when the rows were read, by performance.now(): rejects when that is so long ago that an erasure may be done. */
  registered(users: readonly RegisteredUser[], readAt: number): Promise<void>;
  /** Their rows are gone. */
  erased(users: readonly ErasedUser[]): Promise<void>;
}

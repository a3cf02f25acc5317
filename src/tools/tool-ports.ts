import type { ReceivedRecord, RegistrationEvent } from '../services/ports';

/** A dead letter as it lies in Kafka; `topic`, `partition` and `offset` are its own place, not its source's. */
export interface StoredDeadLetter extends ReceivedRecord {
  /** When it became a dead letter, ISO 8601 in UTC. */
  readonly writtenAt: string;
}

/** The place of one dead letter. */
export interface LetterPlace {
  readonly partition: number;
  readonly offset: bigint;
}

/** Offsets of one partition, from `from` up to but not including `to`. */
export interface OffsetRange {
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
}

/** The dead letters that Kafka holds. Every method throws UnavailableError, within seconds. */
export interface DeadLetterArchive {
  /**
   * Visits, some at a time and each once, those that are there at the start, or of these the ones at `places` (and
   * some between them). In order within a partition. `total` counts offsets, so gaps too.
   */
  readAll(visit: LetterVisitor, places?: readonly LetterPlace[]): Promise<void>;
  /** What deleteAll() may delete: all that was there before the first letter since `before` (ms), or everything. */
  deletable(before: number | undefined): Promise<OffsetRange[]>;
  deleteAll(ranges: readonly OffsetRange[]): Promise<void>;
}

export type LetterVisitor = (letters: readonly StoredDeadLetter[], progress: ReadProgress) => Promise<void>;

/** How far a reading is, in offsets, the visited letters included. */
export interface ReadProgress {
  readonly done: bigint;
  readonly total: bigint;
}

/** A record to send, with these very bytes. */
export type OutgoingRecord = Pick<ReceivedRecord, 'key' | 'value' | 'headers'>;

/** The topic that the writer reads. Resolves when Kafka has confirmed them all; throws UnavailableError. */
export interface RegistrationTopic {
  resend(records: readonly OutgoingRecord[]): Promise<void>;
  publish(events: readonly RegistrationEvent[], requestId: string): Promise<void>;
}

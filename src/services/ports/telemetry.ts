import type { DeadLetter, DeadLetterReason, ReceivedRecord, UserEventType } from './messaging';

/** What the background check knows of one dependency. */
export interface DependencyState {
  /** False until the first check is done. */
  readonly isUnavailable: boolean;
}

/** What says whether an email is registered. */
export type UniquenessSource = 'redis' | 'postgres';

/** Counts what the pipeline did; cheap, and never fails. */
export interface PipelineMetrics {
  /** For a registration, this one could not say in time whether the email is registered: the other alone decided. */
  decidedDegraded(missing: UniquenessSource): void;
  /** A send to Kafka ended. */
  produced(seconds: number, isConfirmed: boolean): void;
  /** A batch of records was written. */
  batchWritten(records: number): void;
  /** PostgreSQL rejected a batch that waits, by this SQLSTATE and constraint or column. */
  writeRejected(sqlState: string, constraint: string | undefined): void;
  /** A record has its row, this long after it was accepted. */
  persisted(seconds: number): void;
  /** A record became a dead letter. */
  deadLettered(reason: DeadLetterReason): void;
  /** This many records were refused: their emails were erased after them. */
  recordsErased(records: number): void;
  /** Kafka has confirmed this many events. */
  eventsPublished(type: UserEventType, events: number): void;
  /** This many people were erased. */
  erased(people: number): void;
  /** Kafka deleted this many records that were not read. */
  recordsLost(records: number): void;
}

/** Records one request: the route's pattern, how it ended, and how long it took. */
export type RecordRequest = (
  method: string,
  route: string,
  status: number | 'aborted',
  seconds: number,
) => void;

/** A piece of traced work. */
export interface Span {
  /** W3C `traceparent`: work that continues it elsewhere belongs to the same trace. */
  readonly traceparent: string;
  /** `failure` is one of few fixed words, never submitted data. */
  end(failure?: string): void;
}

/** A traced request. */
export interface RequestSpan {
  /** What `handle` sends to Kafka, now or later, belongs to the request's trace. */
  run(handle: () => void): void;
  /** `route` is the pattern: the path may hold an email. */
  end(response: {
    readonly method: string;
    readonly route: string;
    readonly status: number | 'aborted';
    readonly requestId: string;
  }): void;
}

/** A batch that was written: `deadLetters` are those of `records` that became no row. Times are performance.now(). */
export interface WrittenBatch {
  readonly records: readonly ReceivedRecord[];
  readonly deadLetters: readonly DeadLetter[];
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
  /** A record is being sent to this topic until the span ends. */
  send(topic: string): Span;
  /** Every record of a batch is a row, a known duplicate or a dead letter. */
  batchWritten(batch: WrittenBatch): void;
}

export interface Logger {
  debug(message: string, fields?: object): unknown;
  info(message: string, fields?: object): unknown;
  warn(message: string, fields?: object): unknown;
  error(message: string, fields?: object): unknown;
}

import type { DeadLetterReason, UserEventType } from '../../../src/services/ports/messaging';
import type { PipelineMetrics, UniquenessSource } from '../../../src/services/ports/telemetry';

/** Keeps every measurement. */
export class RecordingMetrics implements PipelineMetrics {
  readonly decidedAlone: UniquenessSource[] = [];
  readonly sends: { readonly seconds: number; readonly isConfirmed: boolean }[] = [];
  readonly batches: number[] = [];
  readonly delays: number[] = [];
  readonly rejections: [string, string | undefined][] = [];
  readonly reasons: DeadLetterReason[] = [];
  readonly lost: number[] = [];
  readonly events = { registered: 0, erased: 0 };
  erasedRecords = 0;
  erasures = 0;

  decidedDegraded(decider: UniquenessSource): void {
    this.decidedAlone.push(decider);
  }

  produced(seconds: number, isConfirmed: boolean): void {
    this.sends.push({ seconds, isConfirmed });
  }

  batchWritten(records: number): void {
    this.batches.push(records);
  }

  writeRejected(sqlState: string, constraint?: string): void {
    this.rejections.push([sqlState, constraint]);
  }

  persisted(seconds: number): void {
    this.delays.push(seconds);
  }

  deadLettered(reason: DeadLetterReason): void {
    this.reasons.push(reason);
  }

  recordsErased(records: number): void {
    this.erasedRecords += records;
  }

  erased(people: number): void {
    this.erasures += people;
  }

  eventsPublished(type: UserEventType, events: number): void {
    this.events[type] += events;
  }

  recordsLost(records: number): void {
    this.lost.push(records);
  }
}

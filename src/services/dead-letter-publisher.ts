import { parseEmail } from '../domain/email';
import { UnavailableError } from '../domain/errors';
import type { DeadLetter, DeadLetters, FailureReason, ReceivedRecord } from './ports/messaging';
import type { FailureMarks, Reservations } from './ports/stores';
import type { Logger, PipelineMetrics } from './ports/telemetry';
import { EVENT_ID_HEADER, headerText, REQUEST_ID_HEADER } from './registration-record';

export interface DeadLetterPublisherDeps {
  readonly deadLetters: DeadLetters;
  readonly failed: Pick<FailureMarks, 'mark'>;
  readonly pending: Pick<Reservations, 'release'>;
  readonly metrics: Pick<PipelineMetrics, 'deadLettered'>;
  readonly log: Logger;
}

/** Publishes records that become no row: kept in Kafka, logged, and their email free for another attempt. */
export class DeadLetterPublisher {
  constructor(private readonly deps: DeadLetterPublisherDeps) {}

  /** Resolves when Kafka has confirmed them all, else throws UnavailableError. An unavailable Redis is only logged. */
  async publish(deadLetters: readonly DeadLetter[]): Promise<void> {
    if (deadLetters.length === 0) return;
    await this.deps.deadLetters.publish(deadLetters);
    for (const deadLetter of deadLetters) {
      this.report(deadLetter);
      // The email of a conflict has a row: it did not fail.
      if (deadLetter.reason !== 'conflict') await this.markFailed(deadLetter.record, deadLetter.reason);
    }
  }

  private report({ record, reason, error }: DeadLetter): void {
    const { topic, partition, offset } = record;
    const requestId = headerText(record, REQUEST_ID_HEADER);
    this.deps.metrics.deadLettered(reason);
    this.deps.log.warn('dead letter', { reason, error, topic, partition, offset, requestId });
  }

  private async markFailed(record: ReceivedRecord, reason: FailureReason): Promise<void> {
    const eventId = headerText(record, EVENT_ID_HEADER);
    const email = emailOf(record);
    if (email === undefined) return;
    try {
      await this.deps.failed.mark(email, reason);
      if (eventId !== undefined) await this.deps.pending.release(email, eventId);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.deps.log.warn('could not mark failed registration in Redis; its reservation will expire', {
        requestId: headerText(record, REQUEST_ID_HEADER),
        error,
      });
    }
  }
}

function emailOf(record: ReceivedRecord): string | undefined {
  try {
    return parseEmail(record.key?.toString());
  } catch {
    return undefined;
  }
}

import { UnavailableError } from '../domain/errors';
import { forEachChunk } from '../runtime/yielding';
import type { DeadLetter, DeadLetters } from './ports/messaging';
import type { FailureMarks, Reservations } from './ports/stores';
import type { Logger, PipelineMetrics } from './ports/telemetry';
import { emailOf, EVENT_ID_HEADER, headerText, REQUEST_ID_HEADER } from './registration-record';

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
    await forEachChunk(deadLetters, async (part) => {
      part.forEach((deadLetter) => this.report(deadLetter));
      await this.markFailed(part);
    });
  }

  private report({ record, reason, error }: DeadLetter): void {
    const { topic, partition, offset } = record;
    const requestId = headerText(record, REQUEST_ID_HEADER);
    this.deps.metrics.deadLettered(reason);
    this.deps.log.warn('dead letter', { reason, error, topic, partition, offset, requestId });
  }

  // All in one turn of the event loop, so in one pipeline: the writer's offset waits for them.
  private async markFailed(deadLetters: readonly DeadLetter[]): Promise<void> {
    try {
      await Promise.all(deadLetters.map((deadLetter) => this.markOne(deadLetter)));
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.deps.log.warn('could not mark failed registrations in Redis; their reservations will expire', {
        registrations: deadLetters.length,
        error,
      });
    }
  }

  private async markOne({ record, reason }: DeadLetter): Promise<void> {
    const email = emailOf(record);
    // The email of a conflict has a row: it did not fail.
    if (email === undefined || reason === 'conflict') return;
    const eventId = headerText(record, EVENT_ID_HEADER);
    const { failed, pending } = this.deps;
    const marked = failed.mark(email, reason);
    await Promise.all([marked, eventId !== undefined && pending.release(email, eventId, marked)]);
  }
}

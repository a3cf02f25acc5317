import { parseEmail } from '../domain/email';
import { UnavailableError } from '../domain/errors';
import type {
  DeadLetters,
  FailedRegistrations,
  FailureReason,
  Logger,
  Measurements,
  PendingRegistrations,
  ReceivedRecord,
  DeadLetter,
} from './ports';
import { EVENT_ID_HEADER, headerText, REQUEST_ID_HEADER } from './registration-record';

export interface DeadLetterBurialDeps {
  readonly deadLetters: DeadLetters;
  readonly failed: Pick<FailedRegistrations, 'mark'>;
  readonly pending: Pick<PendingRegistrations, 'release'>;
  readonly measurements: Pick<Measurements, 'buried'>;
  readonly log: Logger;
}

/** What happens to records that become no row: kept in Kafka, reported, and their e-mail freed for another try. */
export class DeadLetterBurial {
  constructor(private readonly deps: DeadLetterBurialDeps) {}

  /** Resolves when Kafka has confirmed them all. Throws UnavailableError; Redis away is no reason to. */
  async bury(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    await this.deps.deadLetters.publish(letters);
    for (const letter of letters) {
      this.report(letter);
      // The e-mail of a conflict has a row: it did not fail.
      if (letter.reason !== 'conflict') await this.markFailed(letter.record, letter.reason);
    }
  }

  private report({ record, reason, error }: DeadLetter): void {
    const { topic, partition, offset } = record;
    const requestId = headerText(record, REQUEST_ID_HEADER);
    this.deps.measurements.buried(reason);
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
      this.deps.log.warn('a dead letter could not be marked in Redis; its reservation ends by itself', {
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

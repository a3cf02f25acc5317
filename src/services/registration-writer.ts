import { UnstorableError, ValidationError } from '../domain/errors';
import { isSameRegistration } from '../domain/registration';
import { registrationOf, type User } from '../domain/user';
import { yieldingChunks } from '../runtime/yielding';
import type { DeadLetterPublisher } from './dead-letter-publisher';
import { ifAvailable } from './if-available';
import type { DeadLetter, ReceivedRecord } from './ports/messaging';
import type { Users } from './ports/stores';
import type { PipelineMetrics, Tracing } from './ports/telemetry';
import { ACCEPTED_AT_HEADER, headerText, readRecord, type ReadableRecord } from './registration-record';
import { promoteToCompleted, type PromotionStores } from './promote-users';

export interface RegistrationWriterDeps extends PromotionStores {
  readonly users: Pick<Users, 'insertMissing'>;
  readonly deadLetterPublisher: DeadLetterPublisher;
  readonly metrics: Pick<PipelineMetrics, 'persisted'>;
  readonly tracing?: Pick<Tracing, 'batchWritten'> | undefined;
}

/** Turns records into rows. When write() resolves, every record is a row, a known duplicate, or a dead letter. */
export class RegistrationWriter {
  constructor(private readonly deps: RegistrationWriterDeps) {}

  /**
   * Writes the records of one partition, in offset order. Safe to repeat with the same records.
   * Throws UnavailableError when PostgreSQL or Kafka is unavailable: no offset may be committed then.
   */
  async write(records: readonly ReceivedRecord[]): Promise<void> {
    const startedAt = performance.now();
    const { readable, invalid } = await this.read(records);
    const { stored, unstorable } = await this.store(readable);
    const insertedAt = performance.now();
    // An unavailable Redis never holds an offset: the reservations that are left end within their hour.
    await ifAvailable(promoteToCompleted(this.deps, [...stored.values()]));
    const deadLetters = [...invalid, ...unstorable, ...this.conflicts(readable, stored, unstorable)];
    await this.deps.deadLetterPublisher.publish(deadLetters);
    this.measure(readable, deadLetters);
    this.deps.tracing?.batchWritten({ records, deadLetters: deadLetters, startedAt, insertedAt });
  }

  private measure(readable: readonly ReadableRecord[], deadLetters: readonly DeadLetter[]): void {
    const deadLettered = new Set(deadLetters.map(({ record }) => record));
    const now = Date.now();
    for (const { record } of readable) {
      const acceptedAt = Date.parse(headerText(record, ACCEPTED_AT_HEADER) ?? '');
      if (!deadLettered.has(record) && acceptedAt <= now)
        this.deps.metrics.persisted((now - acceptedAt) / 1000);
    }
  }

  private async read(
    records: readonly ReceivedRecord[],
  ): Promise<{ readable: ReadableRecord[]; invalid: DeadLetter[] }> {
    const readable: ReadableRecord[] = [];
    const invalid: DeadLetter[] = [];
    for await (const part of yieldingChunks(records)) {
      for (const record of part) {
        try {
          readable.push(readRecord(record));
        } catch (error) {
          if (!(error instanceof ValidationError)) throw error;
          invalid.push({ record, reason: 'invalid', error: error.message });
        }
      }
    }
    return { readable, invalid };
  }

  // The first of each email first; where that is unstorable, the next one of the same email.
  private async store(
    readable: readonly ReadableRecord[],
  ): Promise<{ stored: Map<string, User>; unstorable: DeadLetter[] }> {
    const stored = new Map<string, User>();
    const unstorable: DeadLetter[] = [];
    let waiting = readable;
    while (waiting.length > 0) {
      const firsts = new Map<string, ReadableRecord>();
      for (const each of waiting) {
        if (!firsts.has(each.registration.email)) firsts.set(each.registration.email, each);
      }
      await this.storeOrBisect([...firsts.values()], stored, unstorable);
      waiting = waiting.filter(
        (each) => !stored.has(each.registration.email) && firsts.get(each.registration.email) !== each,
      );
    }
    return { stored, unstorable };
  }

  private async storeOrBisect(
    batch: readonly ReadableRecord[],
    stored: Map<string, User>,
    unstorable: DeadLetter[],
  ): Promise<void> {
    try {
      const users = await this.deps.users.insertMissing(batch.map(({ registration }) => registration));
      for (const [email, user] of users) stored.set(email, user);
    } catch (error) {
      if (!(error instanceof UnstorableError)) throw error;
      const [first, ...others] = batch;
      if (first !== undefined && others.length === 0) {
        unstorable.push({ record: first.record, reason: 'unstorable', error: error.message });
        return;
      }
      const middle = Math.ceil(batch.length / 2);
      await this.storeOrBisect(batch.slice(0, middle), stored, unstorable);
      await this.storeOrBisect(batch.slice(middle), stored, unstorable);
    }
  }

  private conflicts(
    readable: readonly ReadableRecord[],
    stored: ReadonlyMap<string, User>,
    unstorable: readonly DeadLetter[],
  ): DeadLetter[] {
    const rejected = new Set(unstorable.map(({ record }) => record));
    return readable.flatMap(({ record, registration }): DeadLetter[] => {
      if (rejected.has(record)) return [];
      const user = stored.get(registration.email);
      if (user === undefined || isSameRegistration(registrationOf(user), registration)) return [];
      return [{ record, reason: 'conflict', error: 'another registration of this email came first' }];
    });
  }
}

import { RejectedError, ValidationError } from '../domain/errors';
import { isSameRegistration } from '../domain/registration';
import { registrationOf, type User } from '../domain/stored-user';
import { forEachChunk, yieldingChunks } from '../runtime/yielding';
import { announceRegistered } from './announce-registered';
import type { DeadLetterPublisher } from './dead-letter-publisher';
import { findErased } from './erased-records';
import { ifAvailable } from './if-available';
import type { DeadLetter, ReceivedRecord, UserEvents } from './ports/messaging';
import type { Reservations, UserCache, Users } from './ports/stores';
import type { PipelineMetrics, Tracing } from './ports/telemetry';
import { emailOf, originOf, readRecord, type ReadableRecord } from './registration-record';

/** The stores that promoteToCompleted() writes to. */
export interface PromotionStores {
  readonly completed: Pick<UserCache, 'put'>;
  readonly pending: Pick<Reservations, 'clear'>;
}

export interface RegistrationWriterDeps extends PromotionStores {
  readonly users: Pick<Users, 'insertMissing' | 'confirmRejection' | 'findErasures' | 'findByEmails'>;
  readonly pending: Pick<Reservations, 'clear' | 'release'>;
  readonly deadLetterPublisher: DeadLetterPublisher;
  /** None where nobody is told. */
  readonly events?: Pick<UserEvents, 'registered'> | undefined;
  readonly metrics: Pick<PipelineMetrics, 'persisted' | 'recordsErased'>;
  readonly tracing?: Pick<Tracing, 'batchWritten'> | undefined;
}

interface Outcome {
  readonly stored: Map<string, User>;
  readonly unstorable: DeadLetter[];
  /** Of a record that may not be at fault. */
  unconfirmed: RejectedError | undefined;
}

/**
 * Turns records into rows. When write() resolves, every record is a row, a known duplicate, a dead letter, or erased, and
 * other programs are told of every row.
 */
export class RegistrationWriter {
  constructor(private readonly deps: RegistrationWriterDeps) {}

  /**
   * Writes the records of one partition, in offset order. Safe to repeat with the same records.
   * Throws UnavailableError when PostgreSQL or Kafka is unavailable, and RejectedError when PostgreSQL rejects what may
   * not be at fault, or needs too long for so many: no offset may be committed then.
   */
  async write(records: readonly ReceivedRecord[]): Promise<void> {
    const startedAt = performance.now();
    const { readable, invalid } = await this.read(records);
    const outcome = await this.store(readable);
    const insertedAt = performance.now();
    const refused = [...invalid, ...outcome.unstorable, ...this.conflicts(readable, outcome)];
    const { events, users } = this.deps;
    const { stored } = outcome;
    await Promise.all([
      // An unavailable Redis never holds an offset: the reservations that are left end within their hour.
      ifAvailable(promoteToCompleted(this.deps, [...stored.values()])),
      events && announceRegistered({ readable, refused, stored, startedAt }, { events, users }),
    ]);
    const rowless = readable.filter(({ registration }) => !outcome.stored.has(registration.email));
    // A dead letter would keep what was erased.
    const candidates = [...refused, ...rowless].map(({ record }) => record);
    const erased = await findErased(candidates, this.deps.users);
    const deadLetters = refused.filter(({ record }) => !erased.has(record));
    await this.deps.deadLetterPublisher.publish(deadLetters);
    await this.releaseErased(erased);
    this.measure(readable, new Set([...erased, ...deadLetters.map(({ record }) => record)]));
    this.deps.tracing?.batchWritten({ records, deadLetters, startedAt, insertedAt });
  }

  private async releaseErased(erased: ReadonlySet<ReceivedRecord>): Promise<void> {
    if (erased.size === 0) return;
    const releases = [...erased].map(async (record) => {
      const { eventId } = originOf(record);
      if (eventId !== undefined) await this.deps.pending.release(emailOf(record) ?? '', eventId);
    });
    await ifAvailable(Promise.all(releases));
    this.deps.metrics.recordsErased(erased.size);
  }

  private measure(readable: readonly ReadableRecord[], others: ReadonlySet<ReceivedRecord>): void {
    const now = Date.now();
    for (const { record, origin } of readable) {
      const { acceptedAtMs = Infinity } = origin;
      if (!others.has(record) && acceptedAtMs <= now)
        this.deps.metrics.persisted((now - acceptedAtMs) / 1000);
    }
  }

  private async read(records: readonly ReceivedRecord[]) {
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
  private async store(readable: readonly ReadableRecord[]): Promise<Outcome> {
    const outcome: Outcome = { stored: new Map(), unstorable: [], unconfirmed: undefined };
    let waiting = readable;
    while (waiting.length > 0) {
      const firsts = new Map<string, ReadableRecord>();
      for (const each of waiting) {
        if (!firsts.has(each.registration.email)) firsts.set(each.registration.email, each);
      }
      await this.storeOrBisect([...firsts.values()], outcome);
      if (outcome.unconfirmed) throw outcome.unconfirmed;
      waiting = waiting.filter((each) => {
        const { email } = each.registration;
        return !outcome.stored.has(email) && firsts.get(email) !== each;
      });
    }
    return outcome;
  }

  private async storeOrBisect(batch: readonly ReadableRecord[], outcome: Outcome): Promise<void> {
    try {
      const rows = batch.map(({ registration, origin }) => ({ ...registration, ...origin }));
      const users = await this.deps.users.insertMissing(rows);
      for (const [email, user] of users) outcome.stored.set(email, user);
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      const [first, ...others] = batch;
      if (first !== undefined && others.length === 0) return this.judge(first, error, outcome);
      if (error.isTimeout) throw error;
      const middle = Math.ceil(batch.length / 2);
      await this.storeOrBisect(batch.slice(0, middle), outcome);
      await this.storeOrBisect(batch.slice(middle), outcome);
    }
  }

  private async judge({ record, registration }: ReadableRecord, rejection: RejectedError, outcome: Outcome) {
    try {
      await this.deps.users.confirmRejection(registration, rejection);
      outcome.unstorable.push({ record, reason: 'unstorable', error: rejection.message });
    } catch (error) {
      // One of the next records may be stored, and be what this one is compared with then.
      if (!(error instanceof RejectedError) || outcome.unconfirmed) throw error;
      outcome.unconfirmed = error;
    }
  }

  private conflicts(readable: readonly ReadableRecord[], { stored, unstorable }: Outcome): DeadLetter[] {
    const rejected = new Set(unstorable.map(({ record }) => record));
    return readable.flatMap(({ record, registration }): DeadLetter[] => {
      if (rejected.has(record)) return [];
      const user = stored.get(registration.email);
      if (user === undefined || isSameRegistration(registrationOf(user), registration)) return [];
      return [{ record, reason: 'conflict', error: 'another registration of this email came first' }];
    });
  }
}

/**
 * Caches stored users, then deletes their reservations. RegistrationService relies on this order: a client that can
 * reserve a stored email finds it in the cache. May reject with UnavailableError.
 */
export async function promoteToCompleted(
  { completed, pending }: PromotionStores,
  users: readonly User[],
): Promise<void> {
  await forEachChunk(users, (part) => completed.put(part));
  await forEachChunk(users, (part) => pending.clear(part.map(({ email }) => email)));
}

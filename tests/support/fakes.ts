import { UnavailableError, UnstorableError } from '../../src/domain/errors';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/user';
import type {
  CompletedUsers,
  DeadLetter,
  DeadLetterReason,
  Decider,
  DeadLetters,
  DoubtfulKeys,
  FailedRegistrations,
  FailureReason,
  IdempotencyClaim,
  IdempotencyRecords,
  IdempotentAttempt,
  IdempotentOutcome,
  Measurements,
  PageRequest,
  PendingEntries,
  PendingEntry,
  PendingRegistrations,
  QueueRoom,
  RegistrationEvent,
  RegistrationQueue,
  Users,
  UsersPage,
} from '../../src/services/ports';
import type { OutgoingRecord, RegistrationPublisher } from '../../src/tools/registration-publisher';
import { buildUser } from './builders';

/** A fake that can be away, as its real dependency can. */
class Dependency {
  isAway = false;

  protected reach(): void {
    if (this.isAway) throw new UnavailableError('away');
  }
}

export class InMemoryPendingRegistrations extends Dependency implements PendingRegistrations {
  readonly entries = new Map<string, RegistrationEvent>();

  async reserve(candidate: RegistrationEvent): Promise<RegistrationEvent | undefined> {
    this.reach();
    const { email } = candidate.registration;
    if (!this.entries.has(email)) this.entries.set(email, candidate);
    return Promise.resolve(this.entries.get(email));
  }

  async isReserved(email: string): Promise<boolean> {
    this.reach();
    return Promise.resolve(this.entries.has(email));
  }

  async release(email: string, eventId: string): Promise<void> {
    this.reach();
    if (this.entries.get(email)?.eventId === eventId) this.entries.delete(email);
    return Promise.resolve();
  }

  async clear(emails: readonly string[]): Promise<void> {
    this.reach();
    emails.forEach((email) => this.entries.delete(email));
    return Promise.resolve();
  }
}

export class InMemoryCompletedUsers extends Dependency implements CompletedUsers {
  readonly entries = new Map<string, User>();

  async find(email: string): Promise<User | undefined> {
    this.reach();
    return Promise.resolve(this.entries.get(email));
  }

  async put(users: readonly User[]): Promise<void> {
    this.reach();
    users.forEach((user) => this.entries.set(user.email, user));
    return Promise.resolve();
  }
}

export class InMemoryFailedRegistrations extends Dependency implements FailedRegistrations {
  readonly entries = new Map<string, FailureReason>();

  async mark(email: string, reason: FailureReason): Promise<void> {
    this.reach();
    this.entries.set(email, reason);
    return Promise.resolve();
  }

  async find(email: string): Promise<FailureReason | undefined> {
    this.reach();
    return Promise.resolve(this.entries.get(email));
  }

  async isMarked(email: string): Promise<boolean> {
    this.reach();
    return Promise.resolve(this.entries.has(email));
  }

  async clear(email: string): Promise<void> {
    this.reach();
    this.entries.delete(email);
    return Promise.resolve();
  }
}

interface IdempotencyEntry {
  readonly fingerprint: string;
  readonly attemptId: string | undefined;
  readonly outcome: IdempotentOutcome | undefined;
}

export class InMemoryIdempotencyRecords extends Dependency implements IdempotencyRecords {
  readonly entries = new Map<string, IdempotencyEntry>();

  async claim({ key, fingerprint, attemptId }: IdempotentAttempt): Promise<IdempotencyClaim> {
    this.reach();
    const entry = this.entries.get(key);
    if (entry && entry.fingerprint !== fingerprint) return Promise.resolve({ state: 'other body' });
    if (entry?.outcome) return Promise.resolve({ state: 'ended', outcome: entry.outcome });
    if (entry?.attemptId !== undefined) return Promise.resolve({ state: 'in progress' });
    this.entries.set(key, { fingerprint, attemptId, outcome: undefined });
    return Promise.resolve({ state: 'claimed', isRetry: entry !== undefined });
  }

  async keep(attempt: IdempotentAttempt, outcome: IdempotentOutcome): Promise<void> {
    this.reach();
    this.end(attempt, outcome);
    return Promise.resolve();
  }

  async release(attempt: IdempotentAttempt): Promise<void> {
    this.reach();
    this.end(attempt, undefined);
    return Promise.resolve();
  }

  /** As when 30 seconds have passed since the claim. */
  endMark(key: string): void {
    const entry = this.entries.get(key);
    if (entry) this.entries.set(key, { ...entry, attemptId: undefined });
  }

  private end({ key, attemptId }: IdempotentAttempt, outcome: IdempotentOutcome | undefined): void {
    const entry = this.entries.get(key);
    if (entry?.attemptId === attemptId) this.entries.set(key, { ...entry, attemptId: undefined, outcome });
  }
}

export class InMemoryUsers extends Dependency implements Users {
  readonly rows: User[] = [];
  private nextId = 1;

  /** What PostgreSQL would refuse for good in this test. */
  refuses: (registration: Registration) => boolean = () => false;

  async isRegistered(email: string): Promise<boolean> {
    return (await this.findByEmail(email)) !== undefined;
  }

  async findByEmail(email: string): Promise<User | undefined> {
    const [user] = await this.findByEmails([email]);
    return user;
  }

  async findByEmails(emails: readonly string[]): Promise<User[]> {
    this.reach();
    return Promise.resolve(this.rows.filter(({ email }) => emails.includes(email)));
  }

  async list({ limit, offset, after }: PageRequest): Promise<UsersPage> {
    this.reach();
    const newestFirst = this.rows.toReversed().filter(({ id }) => after === undefined || id < after.id);
    const users = newestFirst.slice(offset, offset + limit);
    const last = newestFirst.length > offset + limit ? users.at(-1) : undefined;
    return Promise.resolve({
      users,
      next: last && { createdAtMicros: Date.parse(last.created_at) * 1000, id: last.id },
    });
  }

  async insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>> {
    this.reach();
    if (registrations.some((each) => this.refuses(each))) throw new UnstorableError('refused');
    for (const registration of registrations) {
      const isKnown = this.rows.some(({ email }) => email === registration.email);
      if (!isKnown) this.rows.push(buildUser(registration, this.nextId++));
    }
    const users = await this.findByEmails(registrations.map(({ email }) => email));
    return new Map(users.map((user) => [user.email, user]));
  }
}

/** Confirms at once, unless told to be full or to stay silent. */
export class RecordingQueue implements RegistrationQueue {
  readonly published: { readonly event: RegistrationEvent; readonly requestId: string }[] = [];
  claims = 0;
  isFull = false;
  isSilent = false;

  claim(): QueueRoom {
    if (this.isFull) throw new UnavailableError('full');
    this.claims += 1;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.claims -= 1;
      isHeld = false;
    };
    return {
      release,
      publish: (event, requestId) => {
        release();
        this.published.push({ event, requestId });
        return this.isSilent ? new Promise(() => undefined) : Promise.resolve();
      },
    };
  }
}

export class RecordingDeadLetters extends Dependency implements DeadLetters {
  readonly letters: DeadLetter[] = [];

  async publish(letters: readonly DeadLetter[]): Promise<void> {
    this.reach();
    this.letters.push(...letters);
    return Promise.resolve();
  }
}

export class RecordingDoubtfulKeys implements DoubtfulKeys {
  readonly emails: string[] = [];

  add(emails: readonly string[]): void {
    this.emails.push(...emails);
  }
}

/** Looks into the fake reservations. */
export class InMemoryPendingEntries implements PendingEntries {
  constructor(private readonly pending: InMemoryPendingRegistrations) {}

  async find(emails: readonly string[]): Promise<PendingEntry[]> {
    return Promise.resolve(this.all().filter(({ email }) => emails.includes(email)));
  }

  async scan(visit: (entries: readonly PendingEntry[]) => Promise<void>): Promise<void> {
    await visit(this.all());
  }

  private all(): PendingEntry[] {
    return [...this.pending.entries].map(([email, event]) => ({ email, event }));
  }
}

export class RecordingPublisher
  extends Dependency
  implements Pick<RegistrationPublisher, 'republish' | 'publish'>
{
  readonly records: OutgoingRecord[] = [];
  readonly events: RegistrationEvent[] = [];

  async republish(records: readonly OutgoingRecord[]): Promise<void> {
    this.reach();
    this.records.push(...records);
    return Promise.resolve();
  }

  async publish(events: readonly RegistrationEvent[]): Promise<void> {
    this.reach();
    this.events.push(...events);
    return Promise.resolve();
  }
}

/** Keeps every measurement. */
export class RecordingMeasurements implements Measurements {
  readonly decidedAlone: Decider[] = [];
  readonly sends: { readonly seconds: number; readonly isConfirmed: boolean }[] = [];
  readonly batches: number[] = [];
  readonly delays: number[] = [];
  readonly reasons: DeadLetterReason[] = [];

  decidedWithout(decider: Decider): void {
    this.decidedAlone.push(decider);
  }

  sent(seconds: number, isConfirmed: boolean): void {
    this.sends.push({ seconds, isConfirmed });
  }

  wrote(records: number): void {
    this.batches.push(records);
  }

  stored(seconds: number): void {
    this.delays.push(seconds);
  }

  buried(reason: DeadLetterReason): void {
    this.reasons.push(reason);
  }
}

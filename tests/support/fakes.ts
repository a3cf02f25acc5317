import { UnavailableError, UnstorableError } from '../../src/domain/errors';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/user';
import type {
  AttemptResult,
  CompletedUsers,
  DeadLetter,
  DeadLetterReason,
  Decider,
  DeadLetters,
  FailedRegistrations,
  FailureReason,
  IdempotencyClaim,
  IdempotencyRecords,
  IdempotentAttempt,
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
  readonly result: 'accepted' | 'unknown' | undefined;
}

export class InMemoryIdempotencyRecords extends Dependency implements IdempotencyRecords {
  readonly entries = new Map<string, IdempotencyEntry>();
  private readonly expiredLocks = new Set<string>();

  async claim({ key, fingerprint, attemptId }: IdempotentAttempt): Promise<IdempotencyClaim> {
    this.reach();
    const entry = this.entries.get(key);
    if (entry && entry.fingerprint !== fingerprint) return Promise.resolve('registrationMismatch');
    if (entry?.result === 'accepted') return Promise.resolve('completed');
    if (entry?.attemptId !== undefined && !this.expiredLocks.delete(key))
      return Promise.resolve('inProgress');
    const isRetry = entry?.attemptId !== undefined || entry?.result !== undefined;
    this.entries.set(key, { fingerprint, attemptId, result: isRetry ? 'unknown' : undefined });
    return Promise.resolve(isRetry ? 'retry' : 'new');
  }

  async finish({ key, attemptId }: IdempotentAttempt, result: AttemptResult): Promise<void> {
    this.reach();
    const entry = this.entries.get(key);
    if (entry?.attemptId !== attemptId) return Promise.resolve();
    const kept = result === 'rejected' ? entry.result : result;
    this.entries.set(key, { ...entry, attemptId: undefined, result: kept });
    return Promise.resolve();
  }

  /** As when a minute has passed since the claim. */
  expireLock(key: string): void {
    this.expiredLocks.add(key);
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

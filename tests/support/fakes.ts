import { CLOCK_MARGIN_MS, emailDigest, isErased, type Erasure, type Origin } from '../../src/domain/erasure';
import { RejectedError, UnavailableError } from '../../src/domain/errors';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/stored-user';
import type {
  DeadLetter,
  DeadLetterReason,
  DeadLetters,
  ErasedUser,
  FailureReason,
  RegisteredUser,
  RegistrationEvent,
  RegistrationQueue,
  SendPermit,
  UserEvents,
  UserEventType,
} from '../../src/services/ports/messaging';
import type { PageRequest } from '../../src/domain/pagination';
import type {
  AttemptResult,
  DueErasure,
  Erasures,
  ErasureTarget,
  FailureMarks,
  IdempotencyClaim,
  IdempotencyStore,
  IdempotentAttempt,
  RecordedErasure,
  ReservationReader,
  Reservations,
  StoredReservation,
  UserCache,
  Users,
  UsersPage,
} from '../../src/services/ports/stores';
import type { PipelineMetrics, UniquenessSource } from '../../src/services/ports/telemetry';
import type { OutgoingRecord, RegistrationPublisher } from '../../src/tools/registration-publisher';
import { buildRegistration, buildUser } from './builders';

/** A fake that can be unavailable, as its real dependency can. */
class Dependency {
  isUnavailable = false;

  protected reach(): void {
    if (this.isUnavailable) throw new UnavailableError('unavailable');
  }
}

export class InMemoryReservations extends Dependency implements Reservations {
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

  async release(email: string, eventId: string, after?: Promise<unknown>): Promise<void> {
    this.reach();
    await after;
    if (this.entries.get(email)?.eventId === eventId) this.entries.delete(email);
    return Promise.resolve();
  }

  async clear(emails: readonly string[]): Promise<void> {
    this.reach();
    emails.forEach((email) => this.entries.delete(email));
    return Promise.resolve();
  }
}

export class InMemoryUserCache extends Dependency implements UserCache {
  readonly entries = new Map<string, User>();

  async find(email: string, after?: Promise<unknown>): Promise<User | undefined> {
    this.reach();
    await after;
    return Promise.resolve(this.entries.get(email));
  }

  async put(users: readonly User[]): Promise<void> {
    this.reach();
    users.forEach((user) => this.entries.set(user.email, user));
    return Promise.resolve();
  }

  async remove(emails: readonly string[]): Promise<void> {
    this.reach();
    emails.forEach((email) => this.entries.delete(email));
    return Promise.resolve();
  }
}

export class InMemoryFailureMarks extends Dependency implements FailureMarks {
  readonly entries = new Map<string, FailureReason>();

  async mark(email: string, reason: FailureReason): Promise<void> {
    this.reach();
    this.entries.set(email, reason);
    return Promise.resolve();
  }

  async find(email: string, after?: Promise<unknown>): Promise<FailureReason | undefined> {
    this.reach();
    await after;
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

export class InMemoryIdempotencyStore extends Dependency implements IdempotencyStore {
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
  /** By digest. */
  readonly erasures = new Map<string, Erasure>();
  private nextId = 1;

  /** What PostgreSQL would never store in this test. */
  rejects: (registration: Registration) => boolean = () => false;

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

  async list({ limit, offset, after, total, ...window }: PageRequest): Promise<UsersPage> {
    this.reach();
    const { createdFrom = '', createdBefore = '~' } = window;
    const inWindow = this.rows.toReversed().filter(({ created_at: createdAt }) => {
      const micros = createdAt.replace('Z', '000Z');
      return micros >= createdFrom && micros < createdBefore;
    });
    const newestFirst = inWindow.filter(({ id }) => after === undefined || id < after.id);
    const users = newestFirst.slice(offset, offset + limit);
    const last = newestFirst.length > offset + limit ? users.at(-1) : undefined;
    return Promise.resolve({
      users,
      next: last && { createdAtMicros: String(Date.parse(last.created_at) * 1000), id: last.id },
      total: total && inWindow.length,
    });
  }

  async insertMissing(registrations: readonly (Registration & Origin)[]): Promise<Map<string, User>> {
    this.reach();
    if (registrations.some((each) => this.rejects(each))) throw new RejectedError('23514', 'check');
    for (const registration of registrations) {
      const isKnown = this.rows.some(({ email }) => email === registration.email);
      const isRefused = isErased(registration, this.erasures.get(emailDigest(registration.email)));
      if (!isKnown && !isRefused) this.rows.push(buildUser(registration, this.nextId++));
    }
    const users = await this.findByEmails(registrations.map(({ email }) => email));
    return new Map(users.map((user) => [user.email, user]));
  }

  async confirmRejection(registration: Registration, rejection: RejectedError): Promise<void> {
    this.reach();
    if (this.rejects(buildRegistration())) throw rejection;
    if (!this.rejects(registration)) throw new UnavailableError('no longer rejected');
    return Promise.resolve();
  }

  async findErasure(email: string): Promise<Erasure | undefined> {
    return (await this.findErasures([email])).get(email);
  }

  async findErasures(emails: readonly string[]): Promise<Map<string, Erasure>> {
    this.reach();
    const found = emails.map((email) => [email, this.erasures.get(emailDigest(email))] as const);
    return Promise.resolve(new Map(found.filter((each): each is [string, Erasure] => each[1] !== undefined)));
  }
}

/** The erasures of these users; its clock is this process'. */
export class InMemoryErasures extends Dependency implements Erasures {
  private readonly emails = new Set<string>();
  private readonly unswept = new Set<string>();
  private unannounced: ErasedUser[] = [];

  constructor(private readonly users: InMemoryUsers) {
    super();
  }

  async erase(targets: readonly ErasureTarget[]): Promise<RecordedErasure[]> {
    this.reach();
    const now = Date.now();
    const isYoung = ({ created_at: at }: User): boolean =>
      Math.abs(now - Date.parse(at)) < 2 * CLOCK_MARGIN_MS;
    const recorded = targets.flatMap(({ digest, email, eventId, asOfMs = now }): RecordedErasure[] => {
      const earlier = this.users.erasures.get(digest);
      const erasedAtMs = Math.max(Math.min(asOfMs, now), earlier?.erasedAtMs ?? 0);
      const index = this.users.rows.findIndex((row) => row.email === email);
      const row = this.users.rows[index];
      if (row && isYoung(row)) return [];
      if (row) this.users.rows.splice(index, 1);
      if (row) this.unannounced.push({ id: row.id, erasedAtMs });
      const eventIds = [...(eventId === undefined ? [] : [eventId]), ...(earlier?.eventIds ?? [])];
      this.users.erasures.set(digest, { erasedAtMs, eventIds });
      if (email !== undefined) [this.emails, this.unswept].forEach((emails) => emails.add(email));
      return [{ digest, email, erasedAtMs, eventIds, row: row !== undefined }];
    });
    return Promise.resolve(recorded);
  }

  async emailsOf(digests: readonly string[]): Promise<string[]> {
    const emails = this.users.rows.map(({ email }) => email);
    return Promise.resolve(emails.filter((email) => digests.includes(emailDigest(email))));
  }

  async markSwept(emails: readonly string[]): Promise<void> {
    this.reach();
    emails.forEach((email) => this.unswept.delete(email));
    return Promise.resolve();
  }

  async sweep(
    redisConnectedMs: number,
    clean: (due: readonly DueErasure[]) => Promise<void>,
  ): Promise<boolean> {
    this.reach();
    const due = [...(redisConnectedMs === 0 ? this.emails : this.unswept)].flatMap((email) => {
      const erasure = this.users.erasures.get(emailDigest(email));
      return erasure ? [{ ...erasure, email, user: this.users.rows.find((row) => row.email === email) }] : [];
    });
    await clean(due);
    await this.markSwept(due.map(({ email }) => email));
    return false;
  }

  async announce(publish: (users: readonly ErasedUser[]) => Promise<void>): Promise<boolean> {
    this.reach();
    if (this.unannounced.length > 0) await publish(this.unannounced);
    this.unannounced = [];
    return false;
  }

  async forget(_memoryDays: number, mustAnnounce: boolean): Promise<number> {
    this.reach();
    return Promise.resolve(this.unswept.size + (mustAnnounce ? this.unannounced.length : 0));
  }
}

/** The events topic, in order. */
export class RecordingUserEvents extends Dependency implements UserEvents {
  readonly published: (RegisteredUser | ErasedUser)[] = [];

  async registered(users: readonly RegisteredUser[]): Promise<void> {
    return this.record(users);
  }

  async erased(users: readonly ErasedUser[]): Promise<void> {
    return this.record(users);
  }

  private async record(users: readonly (RegisteredUser | ErasedUser)[]): Promise<void> {
    this.reach();
    this.published.push(...users);
    return Promise.resolve();
  }
}

/** Confirms at once, unless told to be full or to stay silent. */
export class RecordingQueue implements RegistrationQueue {
  readonly published: { readonly event: RegistrationEvent; readonly requestId: string }[] = [];
  claims = 0;
  isFull = false;
  isSilent = false;

  acquire(): SendPermit {
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
  readonly published: DeadLetter[] = [];

  async publish(deadLetters: readonly DeadLetter[]): Promise<void> {
    this.reach();
    this.published.push(...deadLetters);
    return Promise.resolve();
  }
}

/** Looks into the fake reservations. */
export class InMemoryReservationReader implements ReservationReader {
  constructor(private readonly pending: InMemoryReservations) {}

  async find(emails: readonly string[]): Promise<StoredReservation[]> {
    return Promise.resolve(this.all().filter(({ email }) => emails.includes(email)));
  }

  async scan(visit: (entries: readonly StoredReservation[]) => Promise<void>): Promise<void> {
    await visit(this.all());
  }

  private all(): StoredReservation[] {
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

import {
  CLOCK_MARGIN_MS,
  emailDigest,
  isErased,
  type Erasure,
  type Origin,
} from '../../../src/domain/erasure';
import { RejectedError, UnavailableError } from '../../../src/domain/errors';
import type { Registration } from '../../../src/domain/registration';
import type { User } from '../../../src/domain/stored-user';
import type { ErasedUser } from '../../../src/services/ports/messaging';
import type { PageRequest } from '../../../src/domain/pagination';
import type {
  DueErasure,
  Erasures,
  ErasureTarget,
  RecordedErasure,
  Users,
  UsersPage,
} from '../../../src/services/ports/stores';
import { buildRegistration, buildUser } from '../builders';
import { Dependency } from './dependency';

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

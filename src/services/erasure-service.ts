import { emailDigest, isErased } from '../domain/erasure';
import { RecentlyRegisteredError } from '../domain/errors';
import { ifAvailable } from './if-available';
import type {
  DueErasure,
  Erasures,
  ErasureTarget,
  FailureMarks,
  RecordedErasure,
  ReservationReader,
  Reservations,
  UserCache,
} from './ports/stores';
import type { Logger, PipelineMetrics } from './ports/telemetry';
import { originOfEvent } from './registration-record';

export interface ErasureServiceDeps {
  readonly erasures: Pick<Erasures, 'erase' | 'emailsOf' | 'markSwept'>;
  readonly entries: Pick<ReservationReader, 'find'>;
  readonly pending: Pick<Reservations, 'release'>;
  readonly completed: Pick<UserCache, 'put' | 'remove'>;
  readonly failed: Pick<FailureMarks, 'clear'>;
  readonly metrics: Pick<PipelineMetrics, 'erased'>;
  readonly log: Pick<Logger, 'info'>;
}

/** How many people one call of erase() takes: writers wait for each, about 4 ms. */
export const MAX_ERASED_AT_ONCE = 50;

/** What became of one person. */
export interface ErasureReceipt {
  readonly digest: string;
  readonly email: string | undefined;
  /** ISO 8601 in UTC. */
  readonly erasedAt: string;
  /** Whether there was a row. */
  readonly row: boolean;
  /** False when Redis may still hold something: ErasureSweeper goes on. */
  readonly finished: boolean;
}

/** The target with this canonical email. */
export function targetOf(email: string): ErasureTarget {
  return { digest: emailDigest(email), email };
}

/** Removes people from every store, for good: what is read again later brings none of them back. */
export class ErasureService {
  constructor(private readonly deps: ErasureServiceDeps) {}

  /**
   * Throws RecentlyRegisteredError when the row is younger than 10 s, and UnavailableError when PostgreSQL is unavailable:
   * nothing was erased, unless the connection broke at the commit. Safe to repeat.
   */
  async eraseOne(email: string, requestedBy: string, requestId: string): Promise<ErasureReceipt> {
    const [receipt] = await this.erase([targetOf(email)], requestedBy);
    if (receipt === undefined) throw new RecentlyRegisteredError('the row is younger than 10 s');
    const { row, finished } = receipt;
    this.deps.log.info('user erased', { requestedBy, requestId, row, finished });
    return receipt;
  }

  /** The same for MAX_ERASED_AT_ONCE, known or not; there is no receipt for those whose row is too young. */
  async erase(targets: readonly ErasureTarget[], requestedBy: string): Promise<ErasureReceipt[]> {
    const unique = new Map(targets.map((target) => [target.digest, target]));
    const withEvents = await this.addEvents([...unique.values()]);
    const erased = await this.deps.erasures.erase(withEvents, requestedBy);
    this.deps.metrics.erased(erased.length);
    // From here on nothing fails: they are erased.
    const finished = (await ifAvailable(this.cleanAll(erased))) !== null;
    return erased.map(({ digest, email, erasedAtMs, row }) => {
      const erasedAt = new Date(erasedAtMs).toISOString();
      return { digest, email: email ?? undefined, erasedAt, row, finished };
    });
  }

  /** For erase(): what is known of these digests. Reads the whole table of users. */
  async targetsOf(digests: readonly string[]): Promise<ErasureTarget[]> {
    const emails = await this.deps.erasures.emailsOf(digests);
    const byDigest = new Map(emails.map((email) => [emailDigest(email), email]));
    return digests.map((digest) => ({ digest, email: byDigest.get(digest) }));
  }

  /** Sets what Redis holds of these people to what PostgreSQL says. Throws UnavailableError. */
  async clean(due: readonly DueErasure[]): Promise<void> {
    const { entries, pending, completed, failed } = this.deps;
    const byEmail = new Map(due.map((each) => [each.email, each]));
    const reservations = await entries.find([...byEmail.keys()]);
    const releases = reservations.map(async ({ email, event }) => {
      if (event && isErased(originOfEvent(event), byEmail.get(email)))
        await pending.release(email, event.eventId);
    });
    await Promise.all([
      ...releases,
      completed.remove(due.filter(({ user }) => user === undefined).map(({ email }) => email)),
      completed.put(due.flatMap(({ user }) => user ?? [])),
      ...due.map(({ email }) => failed.clear(email)),
    ]);
  }

  // Where Redis is unavailable their registrations are told by their time.
  private async addEvents(targets: readonly ErasureTarget[]): Promise<ErasureTarget[]> {
    const emails = targets.flatMap(({ email }) => email ?? []);
    const found = await ifAvailable(this.deps.entries.find(emails));
    const eventIds = new Map(found?.map(({ email, event }) => [email, event?.eventId]));
    return targets.map((target) => ({ ...target, eventId: eventIds.get(target.email ?? '') }));
  }

  private async cleanAll(erased: readonly RecordedErasure[]): Promise<void> {
    const due = erased.flatMap(({ email, ...facts }) =>
      email ? [{ ...facts, email, user: undefined }] : [],
    );
    await this.clean(due);
    await this.deps.erasures.markSwept(due.map(({ email }) => email));
  }
}

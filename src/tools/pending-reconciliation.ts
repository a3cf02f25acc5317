import { ValidationError } from '../domain/errors';
import { isSameRegistration, parseRegistration } from '../domain/registration';
import type { RegistrationEvent } from '../services/ports/messaging';
import type { StoredReservation, Users } from '../services/ports/stores';
import { promoteToCompleted, type PromotionStores } from '../services/registration-writer';
import type { RegistrationPublisher } from './registration-publisher';

/**
 * `recent`: younger than asked for. `stored`: its email has a row, the reservation is stale. `expiring`: so near its end
 * that another registration may hold the email before a record arrives. `unreadable`: no event in it. `unstored`: the
 * rest.
 */
export type ReservationState = 'recent' | 'stored' | 'expiring' | 'unreadable' | 'unstored';

export interface ClassifiedReservation {
  readonly entry: StoredReservation;
  readonly state: ReservationState;
  /** Since it was accepted; undefined when unreadable. */
  readonly ageMs: number | undefined;
}

export interface PendingReconciliationDeps extends PromotionStores {
  readonly users: Pick<Users, 'findByEmails'>;
  readonly publisher: Pick<RegistrationPublisher, 'publish'>;
  readonly olderThanMs: number;
  readonly pendingTtlMs: number;
  /** Without it nothing is changed. */
  readonly publish: boolean;
}

const EXPIRY_MARGIN_MS = 60_000;
/** In place of a request's id, so that the writer's log lines tell where a record came from. */
const REQUEST_ID = 'reconcile';

/** Finds reservations that should have become rows by now, and sends their events again. Safe to repeat. */
export class PendingReconciliation {
  constructor(private readonly deps: PendingReconciliationDeps) {}

  /** Throws UnavailableError: some may have been published, and the same call may be repeated. */
  async reconcile(entries: readonly StoredReservation[]): Promise<ClassifiedReservation[]> {
    const old = entries.filter((entry) => !this.isRecent(entry));
    const users = old.length === 0 ? [] : await this.deps.users.findByEmails(old.map(({ email }) => email));
    const stored = new Set(users.map(({ email }) => email));
    const classified = entries.map((entry) => this.classify(entry, stored));
    if (this.deps.publish) {
      if (users.length > 0) await promoteToCompleted(this.deps, users);
      await this.publish(classified.filter(({ state }) => state === 'unstored'));
    }
    return classified;
  }

  private isRecent(entry: StoredReservation): boolean {
    const ageMs = ageOf(entry);
    return ageMs !== undefined && ageMs < this.deps.olderThanMs;
  }

  private classify(entry: StoredReservation, stored: ReadonlySet<string>): ClassifiedReservation {
    return { entry, state: this.stateOf(entry, stored), ageMs: ageOf(entry) };
  }

  private stateOf(entry: StoredReservation, stored: ReadonlySet<string>): ReservationState {
    const ageMs = ageOf(entry);
    if (stored.has(entry.email)) return 'stored';
    if (ageMs === undefined) return 'unreadable';
    if (ageMs < this.deps.olderThanMs) return 'recent';
    return ageMs > this.deps.pendingTtlMs - EXPIRY_MARGIN_MS ? 'expiring' : 'unstored';
  }

  private async publish(unstored: readonly ClassifiedReservation[]): Promise<void> {
    const events = unstored.map(({ entry }) => entry.event as RegistrationEvent); // An unstored entry is readable.
    if (events.length > 0) await this.deps.publisher.publish(events, REQUEST_ID);
  }
}

/** Undefined unless the entry holds an event that the writer would accept. */
function ageOf({ email, event }: StoredReservation): number | undefined {
  if (event?.registration.email !== email || !isCanonical(event)) return undefined;
  const ageMs = Date.now() - Date.parse(event.acceptedAt);
  return Number.isNaN(ageMs) ? undefined : ageMs;
}

function isCanonical({ registration }: RegistrationEvent): boolean {
  try {
    return isSameRegistration(parseRegistration(registration), registration);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return false;
  }
}

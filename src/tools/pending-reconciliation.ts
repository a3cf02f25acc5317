import { isErased } from '../domain/erasure';
import { isSameRegistration, parseRegistration } from '../domain/registration';
import { ifValid } from '../domain/validator';
import { PENDING_TTL_SECONDS } from '../redis/keys-and-lifetimes';
import type { StoredReservation, Users } from '../services/ports/stores';
import { originOfEvent } from '../services/registration-record';
import { promoteToCompleted, type PromotionStores } from '../services/registration-writer';
import type { RegistrationPublisher } from './registration-publisher';

/**
 * `recent`: younger than asked for. `stored`: its email has a row, the reservation is stale. `expiring`: so near its end
 * that another registration may hold the email before a record arrives. `unreadable`: no event in it. `erased`: its email
 * was erased after it; the service deletes it. `unstored`: the rest.
 */
export type ReservationState = 'recent' | 'erased' | 'stored' | 'expiring' | 'unreadable' | 'unstored';

export interface ClassifiedReservation extends StoredReservation {
  readonly state: ReservationState;
  /** Since it was accepted; undefined when unreadable. */
  readonly ageMs: number | undefined;
}

export interface PendingReconciliationDeps extends PromotionStores {
  readonly users: Pick<Users, 'findByEmails' | 'findErasures'>;
  readonly publisher: Pick<RegistrationPublisher, 'publish'>;
  readonly olderThanMs: number;
  /** Without it nothing is changed. */
  readonly publish: boolean;
}

const EXPIRING_MS = (PENDING_TTL_SECONDS - 60) * 1000;
/** In place of a request's id, so that the writer's log lines tell where a record came from. */
const REQUEST_ID = 'reconcile';

/**
 * Finds reservations that should have become rows by now, and sends their events again. Safe to repeat. Throws
 * UnavailableError: some may have been published, and the same call may be repeated.
 */
export async function reconcilePending(
  deps: PendingReconciliationDeps,
  reservations: readonly StoredReservation[],
): Promise<ClassifiedReservation[]> {
  const entries = reservations.map((each) => ({ ...each, ageMs: ageOf(each) }));
  const isRecent = (ageMs: number): boolean => ageMs < deps.olderThanMs;
  const old = entries.filter(({ ageMs = Infinity }) => !isRecent(ageMs));
  const emails = old.map(({ email }) => email);
  const users = old.length === 0 ? [] : await deps.users.findByEmails(emails);
  const erasures = old.length === 0 ? undefined : await deps.users.findErasures(emails);
  const stored = new Set(users.map(({ email }) => email));
  const stateOf = ({ email, event, ageMs }: (typeof entries)[number]): ReservationState => {
    if (event && isErased(originOfEvent(event), erasures?.get(email))) return 'erased';
    if (stored.has(email)) return 'stored';
    if (ageMs === undefined) return 'unreadable';
    if (isRecent(ageMs)) return 'recent';
    return ageMs > EXPIRING_MS ? 'expiring' : 'unstored';
  };
  const classified = entries.map((each) => ({ ...each, state: stateOf(each) }));
  if (deps.publish) {
    await promoteToCompleted(deps, users);
    const events = classified.flatMap(({ state, event }) => (state === 'unstored' && event ? [event] : []));
    await deps.publisher.publish(events, REQUEST_ID);
  }
  return classified;
}

/** Undefined unless the entry holds an event that the writer would accept. */
function ageOf({ email, event }: StoredReservation): number | undefined {
  if (event?.registration.email !== email) return undefined;
  const canonical = ifValid(() => parseRegistration(event.registration));
  if (!canonical || !isSameRegistration(canonical, event.registration)) return undefined;
  const ageMs = Date.now() - Date.parse(event.acceptedAt);
  return Number.isNaN(ageMs) ? undefined : ageMs;
}

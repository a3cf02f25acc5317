import { ValidationError } from '../domain/errors';
import { isSameRegistration, parseRegistration } from '../domain/registration';
import type { PendingEntry, RegistrationEvent, Users } from '../services/ports';
import { settleKeys, type SettledStores } from '../services/settle-keys';
import type { RegistrationTopic } from './tool-ports';

/**
 * `young`: younger than asked for. `stored`: its e-mail has a row, the reservation is stale. `ending`: so near its end
 * that someone else may hold the e-mail before a record arrives. `unreadable`: no event in it. `unstored`: the rest.
 */
export type PendingState = 'young' | 'stored' | 'ending' | 'unreadable' | 'unstored';

export interface JudgedEntry {
  readonly entry: PendingEntry;
  readonly state: PendingState;
  /** Since it was accepted; undefined when unreadable. */
  readonly ageMs: number | undefined;
}

export interface PendingReconciliationDeps extends SettledStores {
  readonly users: Pick<Users, 'findByEmails'>;
  readonly topic: Pick<RegistrationTopic, 'publish'>;
  readonly olderThanMs: number;
  readonly pendingTtlMs: number;
  /** Without it nothing is changed. */
  readonly isPublishing: boolean;
}

const ENDING_MS = 60_000;
/** Stands where a request's id would, so that the writer's log lines tell where a record came from. */
const REQUEST_ID = 'reconcile';

/** Finds reservations that should have become rows by now, and sends their events again. Safe to repeat. */
export class PendingReconciliation {
  constructor(private readonly deps: PendingReconciliationDeps) {}

  /** Throws UnavailableError: some may have been published, and the same call may be made again. */
  async reconcile(entries: readonly PendingEntry[]): Promise<JudgedEntry[]> {
    const old = entries.filter((entry) => !this.isYoung(entry));
    const users = old.length === 0 ? [] : await this.deps.users.findByEmails(old.map(({ email }) => email));
    const stored = new Set(users.map(({ email }) => email));
    const judged = entries.map((entry) => this.judge(entry, stored));
    if (this.deps.isPublishing) {
      if (users.length > 0) await settleKeys(this.deps, users);
      await this.publish(judged.filter(({ state }) => state === 'unstored'));
    }
    return judged;
  }

  private isYoung(entry: PendingEntry): boolean {
    const ageMs = ageOf(entry);
    return ageMs !== undefined && ageMs < this.deps.olderThanMs;
  }

  private judge(entry: PendingEntry, stored: ReadonlySet<string>): JudgedEntry {
    return { entry, state: this.stateOf(entry, stored), ageMs: ageOf(entry) };
  }

  private stateOf(entry: PendingEntry, stored: ReadonlySet<string>): PendingState {
    const ageMs = ageOf(entry);
    if (stored.has(entry.email)) return 'stored';
    if (ageMs === undefined) return 'unreadable';
    if (ageMs < this.deps.olderThanMs) return 'young';
    return ageMs > this.deps.pendingTtlMs - ENDING_MS ? 'ending' : 'unstored';
  }

  private async publish(judged: readonly JudgedEntry[]): Promise<void> {
    const events = judged.map(({ entry }) => entry.event as RegistrationEvent); // An unstored entry is readable.
    if (events.length > 0) await this.deps.topic.publish(events, REQUEST_ID);
  }
}

/** Undefined unless the entry holds an event that the writer would take. */
function ageOf({ email, event }: PendingEntry): number | undefined {
  if (event?.registration.email !== email || !isPlain(event)) return undefined;
  const ageMs = Date.now() - Date.parse(event.acceptedAt);
  return Number.isNaN(ageMs) ? undefined : ageMs;
}

function isPlain({ registration }: RegistrationEvent): boolean {
  try {
    return isSameRegistration(parseRegistration(registration), registration);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return false;
  }
}

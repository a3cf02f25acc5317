import { randomUUID } from 'node:crypto';
import { isSameRegistration, type Registration } from '../domain/registration';
import { registrationOf, type User } from '../domain/stored-user';
import { ifValid } from '../domain/validator';
import { promoteToCompleted, type PromotionStores } from '../services/registration-writer';
import type { RegistrationEvent } from '../services/ports/messaging';
import type { ReservationReader, Reservations, Users } from '../services/ports/stores';
import {
  ACCEPTED_AT_HEADER,
  EVENT_ID_HEADER,
  headerText,
  originalHeaders,
  readRecord,
  REPLAY_OF_HEADER,
} from '../services/registration-record';
import { formatId, type StoredDeadLetter } from './dead-letter';
import { findErased } from '../services/erased-records';
import type { OutgoingRecord, RegistrationPublisher } from './registration-publisher';

/** Why a replay would change nothing, or break a promise given to another client. */
export type SkipReason = 'invalid' | 'erased' | 'stored' | 'conflict' | 'pending' | 'repeated';

/** What became of one dead letter; in a dry run, what would become of it. */
export interface ReplayOutcome {
  readonly deadLetter: StoredDeadLetter;
  readonly outcome: 'sent' | SkipReason;
}

export interface DeadLetterReplayDeps extends Pick<PromotionStores, 'completed'> {
  readonly users: Pick<Users, 'findByEmails' | 'findErasures'>;
  readonly pending: Pick<Reservations, 'reserve' | 'clear'>;
  readonly entries: Pick<ReservationReader, 'find'>;
  readonly publisher: Pick<RegistrationPublisher, 'republish'>;
  readonly dryRun: boolean;
}

/** The event that reserves each email; none for a reservation that cannot be read. */
type Holders = ReadonlyMap<string, RegistrationEvent | undefined>;

/**
 * One replay of dead letters, some at a time. Safe to repeat: a dead letter is sent only if it can become a row now, and
 * it reserves its email as a new registration does, so it never overtakes one that was answered 201.
 */
export class DeadLetterReplay {
  private readonly sentEmails = new Set<string>();

  constructor(private readonly deps: DeadLetterReplayDeps) {}

  /** Throws UnavailableError: some dead letters may have been sent, and the same call may be repeated. */
  async replay(deadLetters: readonly StoredDeadLetter[]): Promise<ReplayOutcome[]> {
    // Before anything is reserved. The writer may not tell: some have no time of their own.
    const erased = await findErased(deadLetters, this.deps.users);
    const candidates = deadLetters.map((deadLetter) => {
      return { deadLetter, event: erased.has(deadLetter) ? undefined : toEvent(deadLetter) };
    });
    const events = candidates.flatMap(({ event }) => event ?? []);
    // As for a new registration: rows are looked up after the reservation.
    const holders = await this.findHolders(events);
    const rows = await this.findRows(events);
    const decided = candidates.map(({ deadLetter, event }) => {
      const refusal = erased.has(deadLetter) ? 'erased' : 'invalid';
      const outcome = event ? this.decide(event.registration, rows, holders) : refusal;
      return { deadLetter, event, outcome };
    });
    const records = decided.flatMap(({ deadLetter, event, outcome }) =>
      event && outcome === 'sent' ? toOutgoing(deadLetter, event) : [],
    );
    if (!this.deps.dryRun) await this.deps.publisher.republish(records);
    return decided;
  }

  /** Reserves the emails, or in a dry run only looks. Of each email, the first event counts. */
  private async findHolders(events: readonly RegistrationEvent[]): Promise<Holders> {
    const firsts = new Map(events.toReversed().map((event) => [event.registration.email, event]));
    this.sentEmails.forEach((email) => firsts.delete(email));
    if (this.deps.dryRun) {
      const entries = await this.deps.entries.find([...firsts.keys()]);
      return new Map([...firsts, ...entries.map(({ email, event }) => [email, event] as const)]);
    }
    const holders = [...firsts].map(
      async ([email, event]) => [email, await this.deps.pending.reserve(event)] as const,
    );
    return new Map(await Promise.all(holders));
  }

  private async findRows(events: readonly RegistrationEvent[]): Promise<ReadonlyMap<string, User>> {
    const emails = new Set(events.map(({ registration }) => registration.email));
    const users = emails.size === 0 ? [] : await this.deps.users.findByEmails([...emails]);
    if (!this.deps.dryRun) await promoteToCompleted(this.deps, users);
    return new Map(users.map((user) => [user.email, user]));
  }

  private decide(
    registration: Registration,
    rows: ReadonlyMap<string, User>,
    holders: Holders,
  ): ReplayOutcome['outcome'] {
    const { email } = registration;
    const row = rows.get(email);
    if (row) return isSameRegistration(registrationOf(row), registration) ? 'stored' : 'conflict';
    // The first one may win; the others can only lose to it.
    if (this.sentEmails.has(email)) return 'repeated';
    const holder = holders.get(email);
    if (!holder || !isSameRegistration(holder.registration, registration)) return 'pending';
    this.sentEmails.add(email);
    return 'sent';
  }
}

// The writer's own rules: a record that they reject would only become a dead letter again.
function toEvent(deadLetter: StoredDeadLetter): RegistrationEvent | undefined {
  const registration = ifValid(() => readRecord(deadLetter).registration);
  const eventId = headerText(deadLetter, EVENT_ID_HEADER) ?? randomUUID();
  return registration && { eventId, acceptedAt: new Date().toISOString(), registration };
}

function toOutgoing(deadLetter: StoredDeadLetter, { eventId }: RegistrationEvent): OutgoingRecord {
  const headers = {
    // Without one it would count as made when it is sent again: after an erasure that comes in between, too.
    [ACCEPTED_AT_HEADER]: deadLetter.writtenAt,
    ...originalHeaders(deadLetter.headers),
    [EVENT_ID_HEADER]: eventId,
    [REPLAY_OF_HEADER]: formatId(deadLetter),
  };
  return { key: deadLetter.key, value: deadLetter.value, headers };
}

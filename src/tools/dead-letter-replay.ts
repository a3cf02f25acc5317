import { randomUUID } from 'node:crypto';
import { ValidationError } from '../domain/errors';
import { isSameRegistration } from '../domain/registration';
import { registrationOf, type User } from '../domain/stored-user';
import { promoteToCompleted, type PromotionStores } from '../services/registration-writer';
import type { RegistrationEvent } from '../services/ports/messaging';
import type { ReservationReader, Reservations, Users } from '../services/ports/stores';
import {
  EVENT_ID_HEADER,
  headerText,
  originalHeaders,
  readRecord,
  REPLAY_OF_HEADER,
  type ReadableRecord,
} from '../services/registration-record';
import { formatId, type StoredDeadLetter } from './dead-letter';
import type { OutgoingRecord, RegistrationPublisher } from './registration-publisher';

/** Why a replay would change nothing, or break a promise given to another client. */
export type SkipReason = 'invalid' | 'stored' | 'conflict' | 'pending' | 'repeated';

/** What became of one dead letter; in a dry run, what would become of it. */
export interface ReplayOutcome {
  readonly deadLetter: StoredDeadLetter;
  readonly outcome: 'sent' | SkipReason;
}

export interface DeadLetterReplayDeps extends Pick<PromotionStores, 'completed'> {
  readonly users: Pick<Users, 'findByEmails'>;
  readonly pending: Pick<Reservations, 'reserve' | 'clear'>;
  readonly entries: Pick<ReservationReader, 'find'>;
  readonly publisher: Pick<RegistrationPublisher, 'republish'>;
  readonly dryRun: boolean;
}

interface Candidate extends ReadableRecord {
  readonly record: StoredDeadLetter;
  readonly eventId: string;
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
    const candidates = deadLetters.map(toCandidate);
    const readable = candidates.filter((each) => each !== undefined);
    // As for a new registration: rows are looked up after the reservation.
    const holders = await this.findHolders(readable);
    const rows = await this.findRows(readable);
    const outcomes = deadLetters.map((deadLetter, index): ReplayOutcome => {
      const candidate = candidates[index];
      return { deadLetter, outcome: candidate ? this.decide(candidate, rows, holders) : 'invalid' };
    });
    const sent = new Set(
      outcomes.filter(({ outcome }) => outcome === 'sent').map(({ deadLetter }) => deadLetter),
    );
    await this.send(readable.filter(({ record }) => sent.has(record)));
    return outcomes;
  }

  /** Reserves the emails, or in a dry run only looks. Of each email, the first candidate counts. */
  private async findHolders(candidates: readonly Candidate[]): Promise<Holders> {
    const firsts = new Map(candidates.toReversed().map((each) => [each.registration.email, each]));
    const waiting = [...firsts.values()].filter(
      ({ registration }) => !this.sentEmails.has(registration.email),
    );
    return this.deps.dryRun ? this.look(waiting) : this.reserve(waiting);
  }

  private async look(candidates: readonly Candidate[]): Promise<Holders> {
    const entries = await this.deps.entries.find(candidates.map(({ registration }) => registration.email));
    const free = candidates.map((each) => [each.registration.email, toEvent(each)] as const);
    return new Map([...free, ...entries.map(({ email, event }) => [email, event] as const)]);
  }

  private async reserve(candidates: readonly Candidate[]): Promise<Holders> {
    const holders = candidates.map(
      async (each) => [each.registration.email, await this.deps.pending.reserve(toEvent(each))] as const,
    );
    return new Map(await Promise.all(holders));
  }

  private async findRows(candidates: readonly Candidate[]): Promise<Map<string, User>> {
    const emails = new Set(candidates.map(({ registration }) => registration.email));
    const users = emails.size === 0 ? [] : await this.deps.users.findByEmails([...emails]);
    if (!this.deps.dryRun && users.length > 0) await promoteToCompleted(this.deps, users);
    return new Map(users.map((user) => [user.email, user]));
  }

  private decide(
    { registration }: Candidate,
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

  private async send(candidates: readonly Candidate[]): Promise<void> {
    if (candidates.length === 0 || this.deps.dryRun) return;
    await this.deps.publisher.republish(candidates.map(toOutgoing));
  }
}

// The writer's own rules: a record that they reject would only become a dead letter again.
function toCandidate(deadLetter: StoredDeadLetter): Candidate | undefined {
  try {
    const { registration } = readRecord(deadLetter);
    const eventId = headerText(deadLetter, EVENT_ID_HEADER) ?? randomUUID();
    return { record: deadLetter, registration, eventId };
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return undefined;
  }
}

function toEvent({ eventId, registration }: Candidate): RegistrationEvent {
  return { eventId, acceptedAt: new Date().toISOString(), registration };
}

function toOutgoing({ record, eventId }: Candidate): OutgoingRecord {
  const headers = {
    ...originalHeaders(record.headers),
    [EVENT_ID_HEADER]: eventId,
    [REPLAY_OF_HEADER]: formatId(record),
  };
  return { key: record.key, value: record.value, headers };
}

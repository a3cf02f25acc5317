import { randomUUID } from 'node:crypto';
import { ValidationError } from '../domain/errors';
import { isSameRegistration } from '../domain/registration';
import { registrationOf, type User } from '../domain/user';
import { originalHeaders, REPLAY_OF_HEADER } from '../services/dead-letter-headers';
import { idOf } from './letter-description';
import type { PendingEntries, PendingRegistrations, RegistrationEvent, Users } from '../services/ports';
import {
  EVENT_ID_HEADER,
  headerText,
  readRecord,
  type ReadableRecord,
} from '../services/registration-record';
import { settleKeys, type SettledStores } from '../services/settle-keys';
import type { OutgoingRecord, RegistrationTopic, StoredDeadLetter } from './tool-ports';

/** Why a replay would change nothing, or break a promise given to someone else. */
export type ReplayRefusal = 'invalid' | 'stored' | 'conflict' | 'pending' | 'repeated';

/** What became of one letter; in a dry run, what would become of it. */
export interface ReplayOutcome {
  readonly letter: StoredDeadLetter;
  readonly outcome: 'sent' | ReplayRefusal;
}

export interface DeadLetterReplayDeps extends Pick<SettledStores, 'completed'> {
  readonly users: Pick<Users, 'findByEmails'>;
  readonly pending: Pick<PendingRegistrations, 'reserve' | 'clear'>;
  readonly entries: Pick<PendingEntries, 'find'>;
  readonly topic: Pick<RegistrationTopic, 'resend'>;
  readonly isDryRun: boolean;
}

interface Candidate extends ReadableRecord {
  readonly record: StoredDeadLetter;
  readonly eventId: string;
}

type Holders = ReadonlyMap<string, RegistrationEvent | undefined>;

/**
 * One replay of dead letters, some at a time. Safe to repeat: a letter is sent only if it can become a row now, and it
 * takes its e-mail as a new registration does, so it never overtakes one that was answered 201.
 */
export class DeadLetterReplay {
  private readonly sentEmails = new Set<string>();

  constructor(private readonly deps: DeadLetterReplayDeps) {}

  /** Throws UnavailableError: what is not reported by then may have been sent, and the same call may be made again. */
  async replay(letters: readonly StoredDeadLetter[]): Promise<ReplayOutcome[]> {
    const candidates = letters.map(toCandidate);
    const readable = candidates.filter((each) => each !== undefined);
    // As for a new registration: the row is looked for behind the reservation.
    const holders = await this.claim(readable);
    const rows = await this.findRows(readable);
    const outcomes = letters.map((letter, index): ReplayOutcome => {
      const candidate = candidates[index];
      return { letter, outcome: candidate ? this.judge(candidate, rows, holders) : 'invalid' };
    });
    const sent = new Set(outcomes.filter(({ outcome }) => outcome === 'sent').map(({ letter }) => letter));
    await this.send(readable.filter(({ record }) => sent.has(record)));
    return outcomes;
  }

  private async claim(candidates: readonly Candidate[]): Promise<Holders> {
    const firsts = new Map(candidates.toReversed().map((each) => [each.registration.email, each]));
    const waiting = [...firsts.values()].filter(
      ({ registration }) => !this.sentEmails.has(registration.email),
    );
    return this.deps.isDryRun ? this.look(waiting) : this.reserve(waiting);
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
    if (!this.deps.isDryRun && users.length > 0) await settleKeys(this.deps, users);
    return new Map(users.map((user) => [user.email, user]));
  }

  private judge(
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
    if (candidates.length > 0 && !this.deps.isDryRun)
      await this.deps.topic.resend(candidates.map(toOutgoing));
  }
}

// The writer's own rules: what they refuse would only become a dead letter again.
function toCandidate(letter: StoredDeadLetter): Candidate | undefined {
  try {
    const { registration } = readRecord(letter);
    return { record: letter, registration, eventId: headerText(letter, EVENT_ID_HEADER) ?? randomUUID() };
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
    [REPLAY_OF_HEADER]: idOf(record),
  };
  return { key: record.key, value: record.value, headers };
}

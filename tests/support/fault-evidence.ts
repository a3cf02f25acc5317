import type { Evidence } from '../../dev/faults/evidence';
import type { Announced } from '../../dev/faults/events';
import { findViolations } from '../../dev/faults/invariants';
import { Journal, type Attempt, type Erasure } from '../../dev/faults/journal';
import type { StoredEmail } from '../../dev/faults/stored-emails';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/stored-user';
import { buildRegistration, buildUser } from './builders';

export const registration = buildRegistration();
export const other: Registration = { ...registration, occupation: 'Other' };

export function attempt(overrides: Partial<Attempt> = {}): Attempt {
  const hasRetryAfter = true;
  return {
    registration,
    status: 201,
    hasRetryAfter,
    error: '',
    durationMs: 5,
    sentAt: new Date(),
    ...overrides,
  };
}

const startedAt = Date.now();
export const at = (seconds: number): Date => new Date(startedAt + seconds * 1000);

export function erasure(overrides: Partial<Erasure> = {}): Erasure {
  return {
    email: registration.email,
    hadRow: true,
    status: 200,
    hasRetryAfter: true,
    error: '',
    durationMs: 5,
    sentAt: at(10),
    ...overrides,
  };
}

export const registered = { status: 409, body: '{"success":false,"error":"User already registered"}' };
const completed = { status: 200, body: '{"success":true,"data":{"email":"…","status":"completed"}}' };

export function storedEmail(overrides: Partial<StoredEmail> = {}): StoredEmail {
  return { email: registration.email, posts: [registered, registered], status: completed, ...overrides };
}

/** A table of these users, and what was told: of them, unless others are given. */
export function announcedOf(table: readonly User[], told: readonly User[] = table): Announced {
  const records = told.map((user) => ({ key: String(user.id), value: JSON.stringify(user), headers: {} }));
  return { table: table.map((user) => ({ ...user })), records };
}

/** A run in which one registration was accepted and stored; the overrides are what went differently. */
export function evidence(
  requests: readonly (Attempt | Erasure)[],
  overrides: Partial<Evidence> = {},
): Evidence {
  const journal = new Journal();
  for (const each of requests) {
    if ('registration' in each) journal.add(each);
    else journal.addErasure(each);
  }
  const { rows = [{ ...registration, id: 1 }] } = overrides;
  return {
    tolerates: [],
    isWithoutFault: false,
    journal,
    planted: { deadLetters: [], registrations: [] },
    rows,
    announced: announcedOf(rows.map((row) => buildUser(row, row.id))),
    deadLetters: [],
    replayable: [],
    keysOfGone: [],
    storedEmails: [storedEmail()],
    livenessFailures: [],
    recoveryFailures: [],
    ...overrides,
  };
}

/** The promises that findViolations() finds broken. */
export const broken = (of: Evidence): string[] => findViolations(of).map(({ invariant }) => invariant);

export const stored = 'each 201 is exactly one row with that payload, unless it was erased';

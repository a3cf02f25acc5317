import { isSameRegistration, type Registration } from '../../src/domain/registration';
import { erasedButStored, mayBeErased, mayHaveErased, replayableButGone } from './erasures';
import { announcedOtherwise } from './events';
import type { Evidence, Finding } from './evidence';
import type { Exchange } from './journal';
import type { StatusAndBody } from './stored-emails';

const maxResponseMs = 10_000;
const postStatuses = [0, 201, 409, 503];
const deleteStatuses = [0, 200, 409, 503];

/** A broken promise, and the emails concerned. */
export interface Violation {
  readonly invariant: string;
  readonly count: number;
  readonly emails: readonly string[];
  readonly details: readonly string[];
}

type Check = (evidence: Evidence) => Iterable<Finding>;

/** The check of every promise, by the sentence that is shown when it is broken. */
const checks: Readonly<Record<string, Check>> = {
  'each 201 is exactly one row with that payload, unless it was erased': acceptedButNotStored,
  'no email has two rows': doubledRows,
  'no row without a request': unrequestedRows,
  'no row of what was erased': erasedButStored,
  'nothing of people who are gone is left in Redis': ({ keysOfGone }) =>
    keysOfGone.map((detail) => ({ detail })),
  'no replay would bring back people who are gone': replayableButGone,
  'at most one payload of an email gets 201': acceptedTwice,
  'an email that is "already registered" has a row': rejectedButNotStored,
  'the only responses are 201, 409 and 503, and 200 of an erasure': otherResponses,
  'each 503 has Retry-After': withoutRetryAfter,
  'connections are cut only when a process ends': cutConnections,
  'no response takes longer than 10 s': lateResponses,
  'every POST of a stored email gets 409 "already registered"': storedButNotRejected,
  'the status of a stored email is "completed"': storedButNotCompleted,
  'the dead letters are exactly the bad records and the conflicts': otherDeadLetters,
  'the events topic, compacted, is the users table': ({ announced }) => announcedOtherwise(announced),
  'liveness is 200 throughout': ({ livenessFailures }) => livenessFailures.map((detail) => ({ detail })),
  'all is well again after the fault': ({ recoveryFailures }) =>
    recoveryFailures.map((detail) => ({ detail })),
  'no id is skipped in a run without a fault': skippedIds,
};

/** The broken promises; none when all were kept. */
export function findViolations(evidence: Evidence): Violation[] {
  return Object.entries(checks).flatMap(([invariant, check]) => {
    const findings = [...check(evidence)];
    if (findings.length === 0) return [];
    const emails = findings.flatMap(({ email }) => (email === undefined ? [] : [email]));
    return { invariant, count: findings.length, emails, details: findings.map(({ detail }) => detail) };
  });
}

function* acceptedButNotStored(evidence: Evidence): Iterable<Finding> {
  const rows = new Map(evidence.rows.map((row) => [row.email, row]));
  const conflicts = new Set(
    evidence.deadLetters.filter(({ reason }) => reason === 'conflict').map(({ value }) => value),
  );
  const mayConflict = evidence.tolerates.includes('conflicts');
  for (const registration of accepted(evidence)) {
    const row = rows.get(registration.email);
    if (row !== undefined && isSameRegistration(row, registration)) continue;
    if (mayConflict && row !== undefined && conflicts.has(JSON.stringify(registration))) continue;
    const detail =
      row === undefined ? 'no row' : `the row says ${row.occupation}, not ${registration.occupation}`;
    yield { email: registration.email, detail };
  }
}

/** What has to be stored. */
function accepted(evidence: Evidence): Registration[] {
  const { journal, planted } = evidence;
  const created = [...journal].filter((each) => each.status === 201 && !mayBeErased(evidence, each));
  return [...created.map(({ registration }) => registration), ...planted.registrations];
}

function* doubledRows({ rows }: Evidence): Iterable<Finding> {
  const seen = new Set<string>();
  for (const { email, id } of rows) {
    if (seen.has(email)) yield { email, detail: `row ${id} is one too many` };
    seen.add(email);
  }
}

function* unrequestedRows({ rows, journal, planted }: Evidence): Iterable<Finding> {
  for (const row of rows) {
    const requested = journal.attemptsFor(row.email).map(({ registration }) => registration);
    const isRequested = [...requested, ...planted.registrations].some((each) =>
      isSameRegistration(each, row),
    );
    if (!isRequested) yield { email: row.email, detail: `row ${row.id}` };
  }
}

function* acceptedTwice(evidence: Evidence): Iterable<Finding> {
  if (evidence.tolerates.includes('conflicts')) return;
  const first = new Map<string, Registration>();
  for (const registration of accepted(evidence)) {
    const other = first.get(registration.email);
    if (other === undefined) first.set(registration.email, registration);
    else if (!isSameRegistration(other, registration)) yield { email: other.email, detail: 'two payloads' };
  }
}

function* rejectedButNotStored({ journal, rows }: Evidence): Iterable<Finding> {
  const stored = new Set(rows.map(({ email }) => email));
  for (const attempt of journal) {
    const { email } = attempt.registration;
    // Of an erased one, a reader that was under way may put the cache back for a minute.
    const mayBeGone = journal.erasuresOf(email).some(mayHaveErased);
    if (saysRegistered(attempt.error) && !stored.has(email) && !mayBeGone) yield found(email, attempt);
  }
}

function* otherResponses({ journal }: Evidence): Iterable<Finding> {
  for (const attempt of journal)
    if (!postStatuses.includes(attempt.status)) yield found(attempt.registration.email, attempt);
  for (const email of journal.erasedEmails)
    for (const erasure of journal.erasuresOf(email))
      if (!deleteStatuses.includes(erasure.status)) yield found(email, erasure);
}

function* withoutRetryAfter({ journal }: Evidence): Iterable<Finding> {
  for (const [email, exchange] of journal.exchanges())
    if (exchange.status === 503 && !exchange.hasRetryAfter) yield found(email, exchange);
}

function* cutConnections({ journal, tolerates }: Evidence): Iterable<Finding> {
  if (tolerates.includes('cuts')) return;
  for (const [email, exchange] of journal.exchanges())
    if (exchange.status === 0) yield found(email, exchange);
}

function* lateResponses({ journal, tolerates }: Evidence): Iterable<Finding> {
  if (tolerates.includes('slow')) return;
  for (const [email, exchange] of journal.exchanges())
    if (exchange.durationMs > maxResponseMs) yield found(email, exchange);
}

function* storedButNotRejected({ storedEmails }: Evidence): Iterable<Finding> {
  for (const { email, posts } of storedEmails) {
    const wrong = posts.find((response) => response.status !== 409 || !saysRegistered(response.body));
    if (wrong !== undefined) yield { email, detail: describe(wrong) };
  }
}

function* storedButNotCompleted({ storedEmails }: Evidence): Iterable<Finding> {
  for (const { email, status } of storedEmails) {
    const isCompleted = status.status === 200 && status.body.includes('"status":"completed"');
    if (!isCompleted) yield { email, detail: describe(status) };
  }
}

function* otherDeadLetters({ deadLetters, planted, tolerates }: Evidence): Iterable<Finding> {
  const expected = [...planted.deadLetters];
  for (const { email, reason, value } of deadLetters) {
    if (reason === 'conflict' && tolerates.includes('conflicts')) continue;
    const index = expected.indexOf(value);
    const isRepeated = tolerates.includes('repeats') && planted.deadLetters.includes(value);
    if (index !== -1) expected.splice(index, 1);
    else if (!isRepeated) yield { email, detail: `unexpected dead letter: ${reason}` };
  }
  for (const value of expected) yield { detail: `no dead letter for ${value.slice(0, 80)}` };
}

function* skippedIds({ isWithoutFault, rows, journal }: Evidence): Iterable<Finding> {
  if (!isWithoutFault) return;
  const ids = rows.map(({ id }) => id).sort((a, b) => a - b);
  const missing = (ids.at(-1) ?? 0) - (ids[0] ?? 1) + 1 - ids.length;
  if (missing > journal.erasedRows)
    yield { detail: `${missing} ids are missing, and ${journal.erasedRows} rows were erased` };
}

function saysRegistered(body: string): boolean {
  return body.includes('User already registered');
}

function describe({ status, body }: StatusAndBody): string {
  return `${status}: ${body}`;
}

function found(email: string, { status, error, durationMs, sentAt }: Exchange): Finding {
  const detail = `${sentAt.toISOString()} ${status} after ${Math.round(durationMs)} ms: ${error}`;
  return { email, detail };
}

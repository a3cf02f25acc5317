import { CLOCK_MARGIN_MS } from '../../src/domain/erasure';
import { isSameRegistration } from '../../src/domain/registration';
import type { Evidence, Finding } from './evidence';
import type { Attempt, Exchange } from './journal';

/** What tells who was erased: the requests, and whether Redis may have lost the reservations that were on their way. */
type Facts = Pick<Evidence, 'journal' | 'tolerates'>;

// One second more than the clocks may differ: times are whole milliseconds here, and rounded there.
const marginMs = CLOCK_MARGIN_MS + 1000;

/** Whether an erasure may have come after the attempt, or beside it: its 201 promises no row then. */
export function mayBeErased({ journal }: Facts, { registration, sentAt }: Attempt): boolean {
  return journal
    .erasuresOf(registration.email)
    .some((erasure) => mayHaveErased(erasure) && endOf(erasure) >= sentAt.getTime());
}

/** Whether the attempt was certainly made before its email was erased: nothing of it may be found any more. */
export function isErased({ journal, tolerates }: Facts, attempt: Attempt): boolean {
  // By its event, or where Redis did not hold that, by its time.
  const surelyErasedAt = endOf(attempt) + (tolerates.includes('conflicts') ? marginMs : 0);
  return journal
    .erasuresOf(attempt.registration.email)
    .some(({ status, sentAt }) => status === 200 && surelyErasedAt <= sentAt.getTime());
}

/** The emails that were erased and then nobody asked for. */
export function findGone(facts: Facts): Set<string> {
  const { journal } = facts;
  const isGone = (email: string): boolean =>
    journal.erasuresOf(email).some(({ status }) => status === 200) &&
    journal.attemptsFor(email).every((attempt) => isErased(facts, attempt));
  return new Set([...journal.erasedEmails].filter(isGone));
}

/** Rows that only requests from before an erasure can have made. */
export function* erasedButStored(evidence: Evidence): Iterable<Finding> {
  for (const row of evidence.rows) {
    // A 409 sends nothing to Kafka.
    const origins = evidence.journal
      .attemptsFor(row.email)
      .filter(({ status, registration }) => status !== 409 && isSameRegistration(registration, row));
    if (origins.length > 0 && origins.every((each) => isErased(evidence, each)))
      yield { email: row.email, detail: `row ${row.id}` };
  }
}

/** People who are gone, and whose dead letters would be sent again. */
export function* replayableButGone(evidence: Evidence): Iterable<Finding> {
  const gone = findGone(evidence);
  for (const email of evidence.replayable)
    if (gone.has(email)) yield { email, detail: 'a dead letter would be sent again' };
}

/** Of 503 and of no response nobody knows; any other error has erased nobody. */
export function mayHaveErased({ status }: Exchange): boolean {
  return [0, 200, 503].includes(status);
}

function endOf({ sentAt, durationMs }: Exchange): number {
  return sentAt.getTime() + durationMs;
}

import { parseEmail } from '../domain/email';
import type { Origin } from '../domain/erasure';
import { ValidationError } from '../domain/errors';
import { parseRegistration, type Registration } from '../domain/registration';
import { ifValid } from '../domain/validator';
import type { ReceivedRecord, RegistrationEvent } from './ports/messaging';

/** Header names of a registration record; the value holds the six fields, the key is the email. */
export const EVENT_ID_HEADER = 'event-id';
export const ACCEPTED_AT_HEADER = 'accepted-at';
export const REQUEST_ID_HEADER = 'request-id';
/** W3C trace context; only there when the sender traced. */
export const TRACEPARENT_HEADER = 'traceparent';

/** Headers that a dead letter has beside the record's own. */
export const REASON_HEADER = 'dead-letter-reason';
export const ERROR_HEADER = 'dead-letter-error';
export const SOURCE_TOPIC_HEADER = 'source-topic';
export const SOURCE_PARTITION_HEADER = 'source-partition';
export const SOURCE_OFFSET_HEADER = 'source-offset';
/** How large the value was that a dead letter had to leave out. */
export const VALUE_BYTES_HEADER = 'value-bytes';
/** The id of the dead letter that a record was replayed from; a replay that fails again still carries it. */
export const REPLAY_OF_HEADER = 'dead-letter-replay-of';

/** The headers that are not the record's own. */
export const DEAD_LETTER_HEADERS: ReadonlySet<string> = new Set([
  REASON_HEADER,
  ERROR_HEADER,
  SOURCE_TOPIC_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_OFFSET_HEADER,
  VALUE_BYTES_HEADER,
  REPLAY_OF_HEADER,
]);

/** A record whose value is a valid registration. */
export interface ReadableRecord {
  readonly record: ReceivedRecord;
  readonly registration: Registration;
  readonly origin: Origin;
}

/** Reads a record by the rules of the API. Throws ValidationError, which quotes nothing that was submitted. */
export function readRecord(record: ReceivedRecord): ReadableRecord {
  const registration = parseRegistration(parseJson(record.value));
  if (record.key?.toString() !== registration.email) {
    throw new ValidationError('Validation error: the record key is not the email');
  }
  return { record, registration, origin: originOf(record) };
}

/** From the record's headers; of one that another program sent without a time, when the broker wrote it. */
export function originOf(record: ReceivedRecord): Origin {
  const eventId = headerText(record, EVENT_ID_HEADER);
  const sentAt = Date.parse(headerText(record, ACCEPTED_AT_HEADER) ?? '');
  const acceptedAtMs = Number.isNaN(sentAt) ? Number(record.timestamp) : sentAt;
  return {
    // PostgreSQL takes neither a NUL nor a time before its calendar.
    eventId: eventId?.includes('\0') ? undefined : eventId,
    acceptedAtMs: Number.isNaN(acceptedAtMs) ? undefined : Math.max(0, acceptedAtMs),
  };
}

export function originOfEvent({ eventId, acceptedAt }: RegistrationEvent): Origin {
  return { eventId, acceptedAtMs: Date.parse(acceptedAt) };
}

/** Canonical. An invalid record may have another email in its key than in its value. */
export function emailsIn(record: ReceivedRecord): string[] {
  const inValue = () => (JSON.parse(String(record.value)) as { email?: unknown } | null)?.email;
  const emails = [emailOf(record), ifValid(() => parseEmail(inValue()))];
  return emails.filter((email) => email !== undefined);
}

/** The canonical email in the key; undefined when there is none. */
export function emailOf({ key }: Pick<ReceivedRecord, 'key'>): string | undefined {
  return ifValid(() => parseEmail(key?.toString()));
}

/** The text of a header, if it is there once. */
export function headerText(record: ReceivedRecord, name: string): string | undefined {
  const value = record.headers[name];
  // kafkajs reads a header without a value as null, whatever its types say.
  return value === undefined || value === null || Array.isArray(value) ? undefined : value.toString();
}

/** The trace that the record's sender belongs to; undefined when there is none, or none that a trace can have. */
export function traceparentOf(record: ReceivedRecord): string | undefined {
  const text = headerText(record, TRACEPARENT_HEADER) ?? '';
  return /^00-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.exec(text)?.[0];
}

/** A dead letter's headers without those that made it one: the record's own. */
export function originalHeaders(headers: ReceivedRecord['headers']): ReceivedRecord['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !DEAD_LETTER_HEADERS.has(name)));
}

function parseJson(value: Buffer | null): unknown {
  if (value === null) throw new ValidationError('Validation error: the record has no value');
  try {
    return JSON.parse(value.toString());
  } catch {
    throw new ValidationError('Validation error: the record value is not JSON');
  }
}

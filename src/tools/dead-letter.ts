import { isUtf8 } from 'node:buffer';
import {
  emailsIn,
  ERROR_HEADER,
  headerText,
  REASON_HEADER,
  REPLAY_OF_HEADER,
  SOURCE_OFFSET_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_TOPIC_HEADER,
} from '../services/registration-record';
import type { ReceivedRecord } from '../services/ports/messaging';

/** A dead letter as Kafka stores it; `topic`, `partition` and `offset` are its own, not those of its source. */
export interface StoredDeadLetter extends ReceivedRecord {
  /** When it became a dead letter, ISO 8601 in UTC. */
  readonly writtenAt: string;
}

/** Where a dead letter is stored. Written as partition:offset. */
export interface DeadLetterId {
  readonly partition: number;
  readonly offset: bigint;
}

/** Which dead letters to select: those that match all that is given. Nothing given selects all. */
export interface DeadLetterFilter {
  readonly ids?: readonly DeadLetterId[] | undefined;
  readonly reasons?: readonly string[] | undefined;
  /** Written at this time or later, in ms. */
  readonly since?: number | undefined;
  /** Written before this time, in ms. */
  readonly until?: number | undefined;
  /** Canonical. */
  readonly email?: string | undefined;
}

/** partition:offset. */
export function formatId({ partition, offset }: DeadLetterId | StoredDeadLetter): string {
  return `${partition}:${offset}`;
}

/**
 * What may be shown of a dead letter to everyone: no email, no payload. `source` is topic/partition:offset of the record
 * that became the dead letter, `replayOf` the id of the earlier one that it is a failed replay of. Headers that are
 * missing, as in a record that another program wrote, are described as `?`.
 */
export function describeDeadLetter(deadLetter: StoredDeadLetter) {
  const header = (name: string): string => headerText(deadLetter, name) ?? '?';
  const replayOf = headerText(deadLetter, REPLAY_OF_HEADER);
  return {
    id: formatId(deadLetter),
    writtenAt: deadLetter.writtenAt,
    reason: header(REASON_HEADER),
    error: header(ERROR_HEADER),
    source: `${header(SOURCE_TOPIC_HEADER)}/${header(SOURCE_PARTITION_HEADER)}:${header(SOURCE_OFFSET_HEADER)}`,
    ...(replayOf !== undefined && { replayOf }),
  };
}

/** All of it, personal data included; bytes that are no text as base64. */
export function contentOf(deadLetter: StoredDeadLetter) {
  const { key, value, headers } = deadLetter;
  const texts = Object.entries(headers).map(([name, header]) => [
    name,
    Array.isArray(header) ? header.map(toText) : toText(header),
  ]);
  const all = { key: toText(key), value: toText(value), headers: Object.fromEntries(texts) as object };
  return { ...describeDeadLetter(deadLetter), ...all };
}

function toText(bytes: Buffer | string | null | undefined): unknown {
  if (bytes === null || bytes === undefined || typeof bytes === 'string') return bytes ?? null;
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}

/** A predicate: whether a dead letter matches the filter. */
export function deadLetterMatcher(filter: DeadLetterFilter): (deadLetter: StoredDeadLetter) => boolean {
  const { reasons, since = -Infinity, until = Infinity, email } = filter;
  const ids = filter.ids && new Set(filter.ids.map(formatId));
  return (deadLetter) => {
    const writtenAt = Date.parse(deadLetter.writtenAt);
    return (
      (ids?.has(formatId(deadLetter)) ?? true) &&
      (reasons?.includes(headerText(deadLetter, REASON_HEADER) ?? '') ?? true) &&
      writtenAt >= since &&
      writtenAt < until &&
      (email === undefined || emailsIn(deadLetter).includes(email))
    );
  };
}

import type { ReceivedRecord } from './ports';

/** What a dead letter says of itself, beside the record's own headers. */
export const REASON_HEADER = 'dead-letter-reason';
export const ERROR_HEADER = 'dead-letter-error';
export const SOURCE_TOPIC_HEADER = 'source-topic';
export const SOURCE_PARTITION_HEADER = 'source-partition';
export const SOURCE_OFFSET_HEADER = 'source-offset';
/** The id of the dead letter that a record was replayed from; a replay that fails again still carries it. */
export const REPLAY_OF_HEADER = 'dead-letter-replay-of';

const ADDED = new Set([
  REASON_HEADER,
  ERROR_HEADER,
  SOURCE_TOPIC_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_OFFSET_HEADER,
  REPLAY_OF_HEADER,
]);

/** The headers that the record came with. */
export function originalHeaders(headers: ReceivedRecord['headers']): ReceivedRecord['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ADDED.has(name)));
}

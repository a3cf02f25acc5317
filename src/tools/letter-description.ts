import {
  ERROR_HEADER,
  REASON_HEADER,
  REPLAY_OF_HEADER,
  SOURCE_OFFSET_HEADER,
  SOURCE_PARTITION_HEADER,
  SOURCE_TOPIC_HEADER,
} from '../services/dead-letter-headers';
import type { ReceivedRecord } from '../services/ports';
import { headerText } from '../services/registration-record';
import type { StoredDeadLetter } from './tool-ports';

/** What may be shown of a dead letter to everyone: no e-mail, no payload. */
export interface LetterDescription {
  readonly id: string;
  readonly writtenAt: string;
  readonly reason: string;
  readonly error: string;
  /** topic/partition:offset of the record that became the dead letter. */
  readonly source: string;
  /** The id of the earlier dead letter that this one is a failed replay of. */
  readonly replayOf?: string;
}

/** partition:offset, the name of a dead letter. */
export function idOf({ partition, offset }: Pick<ReceivedRecord, 'partition' | 'offset'>): string {
  return `${partition}:${offset}`;
}

export function describeLetter(letter: StoredDeadLetter): LetterDescription {
  const header = (name: string): string => headerText(letter, name) ?? '?';
  const replayOf = headerText(letter, REPLAY_OF_HEADER);
  return {
    id: idOf(letter),
    writtenAt: letter.writtenAt,
    reason: header(REASON_HEADER),
    error: header(ERROR_HEADER),
    source: `${header(SOURCE_TOPIC_HEADER)}/${header(SOURCE_PARTITION_HEADER)}:${header(SOURCE_OFFSET_HEADER)}`,
    ...(replayOf !== undefined && { replayOf }),
  };
}

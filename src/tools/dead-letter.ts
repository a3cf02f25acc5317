import { parseEmail } from '../domain/email';
import { REASON_HEADER } from '../services/dead-letter-headers';
import { idOf } from './letter-description';
import { headerText } from '../services/registration-record';
import type { LetterPlace, StoredDeadLetter } from './tool-ports';

/** Which dead letters are meant: those that fit all that is given. Nothing given means all. */
export interface DeadLetterFilter {
  readonly places?: readonly LetterPlace[];
  readonly reasons?: readonly string[];
  /** Written at this time or later, in ms. */
  readonly since?: number;
  /** Written before this time, in ms. */
  readonly until?: number;
  /** Canonical. */
  readonly email?: string;
}

/** Whether a letter fits the filter. */
export function createLetterTest(filter: DeadLetterFilter): (letter: StoredDeadLetter) => boolean {
  const { places, reasons, since = -Infinity, until = Infinity, email } = filter;
  const ids = places && new Set(places.map(({ partition, offset }) => `${partition}:${offset}`));
  return (letter) => {
    const writtenAt = Date.parse(letter.writtenAt);
    return (
      (ids?.has(idOf(letter)) ?? true) &&
      (reasons?.includes(headerText(letter, REASON_HEADER) ?? '') ?? true) &&
      writtenAt >= since &&
      writtenAt < until &&
      (email === undefined || speaksOf(letter, email))
    );
  };
}

// An invalid record may have another e-mail in its key than in its value, or one that is not canonical.
function speaksOf({ key, value }: StoredDeadLetter, email: string): boolean {
  return [key?.toString(), emailIn(value)].some((address) => canonical(address) === email);
}

function emailIn(value: Buffer | null): unknown {
  try {
    return (JSON.parse(String(value)) as { email?: unknown } | null)?.email;
  } catch {
    return undefined;
  }
}

function canonical(address: unknown): string | undefined {
  try {
    return parseEmail(address);
  } catch {
    return undefined;
  }
}

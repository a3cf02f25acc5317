import { isUtf8 } from 'node:buffer';
import type { ReceivedRecord } from '../services/ports';
import { describeLetter } from './letter-description';
import type { StoredDeadLetter } from './tool-ports';
import type { Terminal } from './terminal';

/** Prints everything that is known of a letter, personal data included, as JSON. */
export function showLetter(letter: StoredDeadLetter, terminal: Terminal): void {
  const everything = {
    ...describeLetter(letter),
    key: toText(letter.key),
    value: toText(letter.value),
    headers: toTexts(letter.headers),
  };
  JSON.stringify(everything, null, 2)
    .split('\n')
    .forEach((line) => terminal.line(line));
}

function toTexts(headers: ReceivedRecord['headers']): Record<string, unknown> {
  const texts = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(toText) : toText(value),
  ]);
  return Object.fromEntries(texts) as Record<string, unknown>;
}

function toText(bytes: Buffer | string | null | undefined): unknown {
  if (bytes === null || bytes === undefined || typeof bytes === 'string') return bytes ?? null;
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}

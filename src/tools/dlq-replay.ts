import type { Config } from '../config/config';
import { createLetterTest, type DeadLetterFilter } from './dead-letter';
import { DeadLetterReplay, type ReplayOutcome, type ReplayRefusal } from './dead-letter-replay';
import { idOf } from './letter-description';
import type { DeadLetterArchive } from './tool-ports';
import { withStores } from './clients';
import { Counts, plural } from './counts';
import type { Terminal } from './terminal';

interface ReplayOptions {
  readonly archive: DeadLetterArchive;
  readonly config: Config;
  readonly terminal: Terminal;
  readonly filter: DeadLetterFilter;
  readonly isDryRun: boolean;
}

const REFUSALS: Readonly<Record<ReplayRefusal, string>> = {
  stored: 'the row has these very fields',
  conflict: 'the e-mail has a row with other fields, and nothing is overwritten',
  invalid: 'this version of the service would refuse it again',
  pending: 'another registration of the e-mail is on its way',
  repeated: 'an earlier letter of the e-mail goes first',
};

/** Sends the letters again that can become rows, and says why the others were skipped. */
export async function replayLetters(options: ReplayOptions): Promise<void> {
  const { config, terminal, isDryRun } = options;
  const counts = new Counts<ReplayOutcome['outcome']>();
  try {
    await withStores(config, (stores) =>
      replayWith(new DeadLetterReplay({ ...stores, isDryRun }), counts, options),
    );
  } catch (error) {
    if (counts.total > 0) terminal.note(`Cut short after ${summary(counts, isDryRun)}; it is safe to repeat`);
    throw error;
  }
  for (const refusal of Object.keys(REFUSALS) as ReplayRefusal[]) {
    if (counts.of(refusal) > 0)
      terminal.line(`skipped ${counts.of(refusal)} ${refusal}: ${REFUSALS[refusal]}`);
  }
  terminal.line(summary(counts, isDryRun));
}

async function replayWith(
  replay: DeadLetterReplay,
  counts: Counts<ReplayOutcome['outcome']>,
  { archive, terminal, filter, isDryRun }: ReplayOptions,
): Promise<void> {
  const fits = createLetterTest(filter);
  await archive.readAll(async (letters, { done, total }) => {
    for (const { letter, outcome } of await replay.replay(letters.filter(fits))) {
      counts.add(outcome);
      if (isDryRun) terminal.line(`${idOf(letter)}  ${outcome === 'sent' ? 'would be sent' : outcome}`);
    }
    terminal.progress(`read ${done} of ${total}: ${summary(counts, isDryRun)}`);
  }, filter.places);
}

function summary(counts: Counts<ReplayOutcome['outcome']>, isDryRun: boolean): string {
  const sent = counts.of('sent');
  return `${plural(counts.total, 'dead letter')}: ${sent} ${isDryRun ? 'would be sent' : 'sent'}, ${counts.total - sent} skipped`;
}

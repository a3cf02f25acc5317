import type { Config } from '../config/config';
import { createLetterTest, type DeadLetterFilter } from './dead-letter';
import { describeLetter, idOf } from './letter-description';
import type { DeadLetterArchive, LetterPlace, StoredDeadLetter } from './tool-ports';
import { openArchive } from './clients';
import { Counts, plural } from './counts';
import type { DlqCommand } from './dlq-arguments';
import { replayLetters } from './dlq-replay';
import { showLetter } from './dlq-show';
import type { Terminal } from './terminal';

/** Does what `dlq` was asked for. */
export async function runDlq(command: DlqCommand, config: Config, terminal: Terminal): Promise<void> {
  const archive = openArchive(config);
  switch (command.name) {
    case 'list':
      return list(archive, command.filter, command.isJson, terminal);
    case 'show':
      return show(archive, command.place, terminal);
    case 'replay':
      return replayLetters({ archive, config, terminal, ...command });
    case 'purge':
      return purge(archive, command.before, command.isConfirmed, terminal);
  }
}

async function list(
  archive: DeadLetterArchive,
  filter: DeadLetterFilter,
  isJson: boolean,
  terminal: Terminal,
): Promise<void> {
  const fits = createLetterTest(filter);
  const reasons = new Counts();
  await archive.readAll(async (letters) => {
    for (const letter of letters.filter(fits)) {
      const description = describeLetter(letter);
      reasons.add(description.reason);
      terminal.line(isJson ? JSON.stringify(description) : toLine(letter));
    }
    return Promise.resolve();
  }, filter.places);
  const summary = `${plural(reasons.total, 'dead letter')}${reasons.total > 0 ? `: ${reasons.toString()}` : ''}`;
  // JSON lines are for programs: the summary stays out of them.
  if (isJson) terminal.note(summary);
  else terminal.line(summary);
}

function toLine(letter: StoredDeadLetter): string {
  const { id, writtenAt, reason, error, source, replayOf } = describeLetter(letter);
  const replay = replayOf === undefined ? '' : `  (replay of ${replayOf})`;
  return `${id.padEnd(8)}  ${writtenAt}  ${reason.padEnd(10)}  ${error}  from ${source}${replay}`;
}

async function show(archive: DeadLetterArchive, place: LetterPlace, terminal: Terminal): Promise<void> {
  const isIt = createLetterTest({ places: [place] });
  let found: StoredDeadLetter | undefined;
  await archive.readAll(
    async (letters) => {
      found ??= letters.find(isIt);
      return Promise.resolve();
    },
    [place],
  );
  if (!found) throw new Error(`there is no dead letter ${idOf({ ...place, offset: String(place.offset) })}`);
  showLetter(found, terminal);
}

async function purge(
  archive: DeadLetterArchive,
  before: number | undefined,
  isConfirmed: boolean,
  terminal: Terminal,
): Promise<void> {
  const ranges = (await archive.deletable(before)).filter(({ from, to }) => from < to);
  if (isConfirmed) await archive.deleteAll(ranges);
  for (const { partition, from, to } of ranges) {
    terminal.line(`partition ${partition}: offsets ${from} to ${to - 1n}`);
  }
  const count = plural(
    ranges.reduce((sum, { from, to }) => sum + (to - from), 0n),
    'dead letter',
  );
  terminal.line(isConfirmed ? `${count} deleted` : `${count} would be deleted; --yes deletes`);
}

import { isUtf8 } from 'node:buffer';
import type { Config } from '../config/config';
import type { ReceivedRecord } from '../services/ports/messaging';
import { openArchive, withStores } from './clients';
import {
  deadLetterMatcher,
  describeDeadLetter,
  formatId,
  type DeadLetterFilter,
  type DeadLetterId,
  type StoredDeadLetter,
} from './dead-letter';
import type { DeadLetterArchive } from './dead-letter-archive';
import { DeadLetterReplay, type ReplayOutcome, type SkipReason } from './dead-letter-replay';
import type { DlqCommand } from './dlq-arguments';
import { Counts, plural } from './run-tool';
import type { Terminal } from './terminal';

const SKIP_REASONS: Readonly<Record<SkipReason, string>> = {
  stored: 'the row has these very fields',
  conflict: 'the email has a row with other fields, and nothing is overwritten',
  invalid: 'this version of the service would reject it again',
  pending: 'another registration of the email is in flight',
  repeated: 'an earlier dead letter of the email goes first',
};

/** Runs one `dlq` command. */
export async function runDlq(command: DlqCommand, config: Config, terminal: Terminal): Promise<void> {
  const archive = openArchive(config);
  switch (command.name) {
    case 'list':
      return list(archive, command.filter, command.json, terminal);
    case 'show':
      return show(archive, command.id, terminal);
    case 'replay':
      return replay(archive, config, command.filter, command.dryRun, terminal);
    case 'purge':
      return purge(archive, command.before, command.confirmed, terminal);
  }
}

async function list(
  archive: DeadLetterArchive,
  filter: DeadLetterFilter,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const matches = deadLetterMatcher(filter);
  const reasons = new Counts();
  await archive.readAll((deadLetters) => {
    for (const deadLetter of deadLetters.filter(matches)) {
      reasons.add(describeDeadLetter(deadLetter).reason);
      terminal.line(json ? JSON.stringify(describeDeadLetter(deadLetter)) : toLine(deadLetter));
    }
  }, filter.ids);
  const summary = `${plural(reasons.total, 'dead letter')}${reasons.total > 0 ? `: ${reasons.toString()}` : ''}`;
  // JSON lines are for programs: the summary stays out of them.
  if (json) terminal.note(summary);
  else terminal.line(summary);
}

function toLine(deadLetter: StoredDeadLetter): string {
  const { id, writtenAt, reason, error, source, replayOf } = describeDeadLetter(deadLetter);
  const replay = replayOf === undefined ? '' : `  (replay of ${replayOf})`;
  return `${id.padEnd(8)}  ${writtenAt}  ${reason.padEnd(10)}  ${error}  from ${source}${replay}`;
}

/** Prints all of a dead letter as JSON, personal data included. */
async function show(archive: DeadLetterArchive, id: DeadLetterId, terminal: Terminal): Promise<void> {
  const matches = deadLetterMatcher({ ids: [id] });
  let found: StoredDeadLetter | undefined;
  await archive.readAll((deadLetters) => void (found ??= deadLetters.find(matches)), [id]);
  if (!found) throw new Error(`there is no dead letter ${formatId(id)}`);
  const everything = {
    ...describeDeadLetter(found),
    key: toText(found.key),
    value: toText(found.value),
    headers: toTexts(found.headers),
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

/** Sends the dead letters again that can become rows, and says why the others were skipped. */
async function replay(
  archive: DeadLetterArchive,
  config: Config,
  filter: DeadLetterFilter,
  dryRun: boolean,
  terminal: Terminal,
): Promise<void> {
  const matches = deadLetterMatcher(filter);
  const counts = new Counts<ReplayOutcome['outcome']>();
  try {
    await withStores(config, async (stores) => {
      const replay = new DeadLetterReplay({ ...stores, dryRun });
      await archive.readAll(async (deadLetters, { done, total }) => {
        for (const { deadLetter, outcome } of await replay.replay(deadLetters.filter(matches))) {
          counts.add(outcome);
          if (dryRun)
            terminal.line(`${formatId(deadLetter)}  ${outcome === 'sent' ? 'would be sent' : outcome}`);
        }
        terminal.progress(`read ${done} of ${total}: ${summarize(counts, dryRun)}`);
      }, filter.ids);
    });
  } catch (error) {
    if (counts.total > 0) terminal.note(`Cut short after ${summarize(counts, dryRun)}; it is safe to repeat`);
    throw error;
  }
  for (const reason of Object.keys(SKIP_REASONS) as SkipReason[]) {
    if (counts.of(reason) > 0)
      terminal.line(`skipped ${counts.of(reason)} ${reason}: ${SKIP_REASONS[reason]}`);
  }
  terminal.line(summarize(counts, dryRun));
}

function summarize(counts: Counts<ReplayOutcome['outcome']>, dryRun: boolean): string {
  const sent = counts.of('sent');
  return `${plural(counts.total, 'dead letter')}: ${sent} ${dryRun ? 'would be sent' : 'sent'}, ${counts.total - sent} skipped`;
}

async function purge(
  archive: DeadLetterArchive,
  before: number | undefined,
  confirmed: boolean,
  terminal: Terminal,
): Promise<void> {
  const ranges = (await archive.deletable(before)).filter(({ from, to }) => from < to);
  if (confirmed) await archive.deleteAll(ranges);
  for (const { partition, from, to } of ranges) {
    terminal.line(`partition ${partition}: offsets ${from} to ${to - 1n}`);
  }
  const count = plural(
    ranges.reduce((sum, { from, to }) => sum + (to - from), 0n),
    'dead letter',
  );
  terminal.line(confirmed ? `${count} deleted` : `${count} would be deleted; --yes deletes`);
}

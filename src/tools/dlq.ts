import type { Config } from '../config/config';
import { ifAvailable } from '../services/if-available';
import type { Users } from '../services/ports/stores';
import { withStores, withUsers } from './clients';
import { contentOf, describeDeadLetter, formatId, type StoredDeadLetter } from './dead-letter';
import { DeadLetterArchive } from './dead-letter-archive';
import { DeadLetterReplay, type ReplayOutcome, type SkipReason } from './dead-letter-replay';
import { findErased } from '../services/erased-records';
import { DLQ_HELP, parseDlqArguments, type DlqCommand } from './dlq-arguments';
import { Counts, plural, startTool, type Tool } from './run-tool';
import type { Terminal } from './terminal';
import { countOffsets } from './topic-reader';

/** `npm run dlq`: dead letters, for operators. */
export const DLQ: Tool<DlqCommand> = { help: DLQ_HELP, parse: parseDlqArguments, run };

type CommandOf<Name> = Extract<DlqCommand, { name: Name }>;
type Outcomes = Counts<ReplayOutcome['outcome']>;

const SKIP_REASONS: Readonly<Record<SkipReason, string>> = {
  erased: 'the person was erased after it was accepted',
  stored: 'the row has these very fields',
  conflict: 'the email has a row with other fields, and nothing is overwritten',
  invalid: 'this version of the service would reject it again',
  pending: 'another registration of the email is in flight',
  repeated: 'an earlier dead letter of the email goes first',
};

async function run(command: DlqCommand, config: Config, terminal: Terminal): Promise<void> {
  const archive = new DeadLetterArchive(config.kafka);
  switch (command.name) {
    case 'list':
      return withUsers(config, (users) => list(command, archive, terminal, users));
    case 'show':
      return withUsers(config, (users) => show(command, archive, terminal, users));
    case 'replay':
      return replay(command, archive, terminal, config);
    case 'purge':
      return purge(command, archive, terminal);
  }
}

async function list(
  { filter, json }: CommandOf<'list'>,
  archive: DeadLetterArchive,
  terminal: Terminal,
  users: Pick<Users, 'findErasures'>,
) {
  const reasons = new Counts();
  const erasures = new Counts<'left out' | 'unknown'>();
  await archive.read(filter, async (deadLetters) => {
    const erased = erasures.of('unknown') > 0 ? null : await ifAvailable(findErased(deadLetters, users));
    if (erased === null) erasures.add('unknown');
    erased?.forEach(() => erasures.add('left out'));
    for (const description of deadLetters.filter((each) => !erased?.has(each)).map(describeDeadLetter)) {
      reasons.add(description.reason);
      terminal.line(json ? JSON.stringify(description) : toLine(description));
    }
  });
  if (erasures.of('left out') > 0)
    terminal.note(`Left out: ${erasures.of('left out')} of people who were erased after them`);
  if (erasures.of('unknown') > 0)
    terminal.note('PostgreSQL is unavailable: those of people who were erased are listed, too');
  const summary = `${plural(reasons.total, 'dead letter')}${reasons.total > 0 ? `: ${reasons.toString()}` : ''}`;
  // JSON lines are for programs: the summary stays out of them.
  if (json) terminal.note(summary);
  else terminal.line(summary);
}

function toLine(description: ReturnType<typeof describeDeadLetter>): string {
  const { id, writtenAt, reason, error, source, replayOf } = description;
  const replay = replayOf === undefined ? '' : `  (replay of ${replayOf})`;
  return `${id.padEnd(8)}  ${writtenAt}  ${reason.padEnd(10)}  ${error}  from ${source}${replay}`;
}

/** Prints all of a dead letter as JSON, personal data included; none of a person who was erased after it. */
async function show(
  { id }: CommandOf<'show'>,
  archive: DeadLetterArchive,
  terminal: Terminal,
  users: Pick<Users, 'findErasures'>,
) {
  let found: StoredDeadLetter | undefined;
  await archive.read({ ids: [id] }, ([deadLetter]) => void (found ??= deadLetter));
  if (!found) throw new Error(`there is no dead letter ${formatId(id)}`);
  if ((await findErased([found], users)).size > 0)
    throw new Error(`the person of dead letter ${formatId(id)} was erased after it`);
  terminal.json(contentOf(found));
}

/** Sends the dead letters again that can become rows, and says why the others were skipped. */
async function replay(
  { filter, dryRun }: CommandOf<'replay'>,
  archive: DeadLetterArchive,
  terminal: Terminal,
  config: Config,
) {
  const counts: Outcomes = new Counts();
  try {
    await withStores(config, async (stores) => {
      const replay = new DeadLetterReplay({ ...stores, dryRun });
      await archive.read(filter, async (deadLetters, { done, total }) => {
        for (const { deadLetter, outcome } of await replay.replay(deadLetters)) {
          counts.add(outcome);
          if (dryRun)
            terminal.line(`${formatId(deadLetter)}  ${outcome === 'sent' ? 'would be sent' : outcome}`);
        }
        terminal.progress(`read ${done} of ${total}: ${summarize(counts, dryRun)}`);
      });
    });
  } catch (error) {
    if (counts.total > 0) terminal.note(`Cut short after ${summarize(counts, dryRun)}; it is safe to repeat`);
    throw error;
  }
  for (const [reason, why] of Object.entries(SKIP_REASONS) as [SkipReason, string][])
    if (counts.of(reason) > 0) terminal.line(`skipped ${counts.of(reason)} ${reason}: ${why}`);
  terminal.line(summarize(counts, dryRun));
}

function summarize(counts: Outcomes, dryRun: boolean): string {
  const sent = counts.of('sent');
  return `${plural(counts.total, 'dead letter')}: ${sent} ${dryRun ? 'would be sent' : 'sent'}, ${counts.total - sent} skipped`;
}

async function purge(command: CommandOf<'purge'>, archive: DeadLetterArchive, terminal: Terminal) {
  const ranges = (await archive.deletable(command.before)).filter(({ from, to }) => from < to);
  if (command.confirmed) await archive.deleteAll(ranges);
  for (const { partition, from, to } of ranges)
    terminal.line(`partition ${partition}: offsets ${from} to ${to - 1n}`);
  const count = plural(countOffsets(ranges), 'dead letter');
  terminal.line(command.confirmed ? `${count} deleted` : `${count} would be deleted; --yes deletes`);
}

if (require.main === module) startTool(DLQ);

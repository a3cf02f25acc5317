import type { Config } from '../config/config';
import { MAX_ERASED_AT_ONCE, targetOf } from '../services/erasure-service';
import { ifAvailable } from '../services/if-available';
import { assertReachable, readTopicSettings, withStores, type Stores } from './clients';
import { DeadLetterArchive } from './dead-letter-archive';
import { readTargets } from './erasure-lines';
import { MassErasure } from './mass-erasure';
import { describeHeld, findHeld } from './person-report';
import { parsePrivacyArguments, PRIVACY_HELP, type PrivacyCommand } from './privacy-arguments';
import { plural, startTool, type Tool } from './run-tool';
import type { Terminal } from './terminal';

const DAY_MS = 86_400_000;

type CommandOf<Name> = Extract<PrivacyCommand, { name: Name }>;

/** `npm run privacy`: what is held of people, and its end, for operators. `input` is what --stdin reads. */
export function createPrivacyTool(input: NodeJS.ReadableStream): Tool<PrivacyCommand> {
  const run = (command: PrivacyCommand, config: Config, terminal: Terminal): Promise<void> => {
    switch (command.name) {
      case 'show':
        return show(command, config, terminal);
      case 'erase':
        return erase(command, config, terminal, input);
      case 'expire':
        return expire(command, config, terminal);
    }
  };
  return { help: PRIVACY_HELP, parse: parsePrivacyArguments, run };
}

async function show({ email }: CommandOf<'show'>, config: Config, terminal: Terminal): Promise<void> {
  const settings = await readTopicSettings(config);
  await withStores(config, async (stores) => {
    const held = await findHeld(email, stores, config.kafka.erasureMemoryDays * DAY_MS);
    await new DeadLetterArchive(config.kafka).read({ email }, async (deadLetters, { done, total }) => {
      held.push(...(await describeHeld(deadLetters, stores, settings)));
      terminal.progress(`read ${done} of ${plural(total, 'dead letter')}`);
    });
    const { topic, eventsTopic } = config.kafka;
    const notRead = [{ where: `Kafka ${topic}`, until: settings.copiesEnd()?.toISOString() ?? null }];
    // As long as there is a row, and until an erasure of it is compacted.
    if (eventsTopic !== undefined) notRead.push({ where: `Kafka ${eventsTopic}`, until: null });
    terminal.json({ email, at: new Date().toISOString(), held, notRead });
  });
}

async function erase(
  { confirmed, ...command }: CommandOf<'erase'>,
  config: Config,
  terminal: Terminal,
  input: NodeJS.ReadableStream,
): Promise<void> {
  const stdin = command.targets ? undefined : await readTargets(input, (problem) => terminal.note(problem));
  const settings = await ifAvailable(readTopicSettings(config));
  if (!settings) terminal.note('Kafka is unavailable: the receipts do not say when its last copies end');
  const work = async (stores: Stores): Promise<void> => {
    const erasure = new MassErasure({ stores, confirmed, settings, terminal });
    const erasing = erasure.run(command.targets ?? stdin?.targets ?? []);
    await cutShort(terminal, () => erasure.summary, erasing);
    if (confirmed) terminal.note(erasure.summary);
    else terminal.line(`${erasure.summary}; --yes erases`);
  };
  await withStores(config, work, true).finally(() => {
    // Unlike the rest of a list, with `| head`, a receipt is missed.
    if (terminal.isClosed) throw new Error('not all receipts could be written: repeat it');
  });
  if (stdin && stdin.bad > 0) throw new Error(`${plural(stdin.bad, 'line')} named above`);
}

/** Deletes old rows, and remembers as erased those of whom Kafka may have copies: with an events topic all, to tell others. */
async function expire(
  { before, confirmed }: CommandOf<'expire'>,
  config: Config,
  terminal: Terminal,
): Promise<void> {
  const settings = await readTopicSettings(config);
  const keepsMs = config.kafka.eventsTopic === undefined ? settings.keepsCopiesMs : Infinity;
  const withoutCopies = new Date(Math.min(before.getTime(), Math.max(0, Date.now() - keepsMs)));
  let [rows, erased] = [0, 0];
  const summary = (done = 'deleted'): string =>
    `${plural(rows, 'row')} ${done}, ${erased} with an erasure, since Kafka may have copies`;
  const work = async ({ redis, expired, erasures, completed }: Stores): Promise<void> => {
    await assertReachable('Redis', redis.check());
    if (!confirmed) {
      rows = await expired.count(before);
      erased = rows - (await expired.count(withoutCopies));
      terminal.line(`${summary('would be deleted')}; --yes deletes`);
      return;
    }
    let deleted: number;
    do {
      deleted = await expired.deleteOldest(withoutCopies, (emails) => completed.remove(emails));
      rows += deleted;
      terminal.progress(summary());
    } while (deleted > 0);
    do {
      const targets = (await expired.oldest(before, MAX_ERASED_AT_ONCE)).map(targetOf);
      deleted = (await erasures.erase(targets, 'cli')).length; // Rows that are too young are the last.
      [rows, erased] = [rows + deleted, erased + deleted];
      terminal.progress(summary());
    } while (deleted > 0);
    terminal.line(summary());
  };
  await withStores(config, (stores) => cutShort(terminal, summary, work(stores)), true);
}

async function cutShort(terminal: Terminal, summary: () => string, work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => {
    terminal.note(`Cut short after ${summary()}; it is safe to repeat`);
    throw error;
  });
}

if (require.main === module) startTool(createPrivacyTool(process.stdin));

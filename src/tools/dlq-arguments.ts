import { parseEmail } from '../domain/email';
import type { DeadLetterFilter, DeadLetterId } from './dead-letter';
import { parseOptions, parseTime, UsageError } from './run-tool';

/** A parsed `dlq` command line. */
export type DlqCommand =
  | { readonly name: 'list'; readonly filter: DeadLetterFilter; readonly json: boolean }
  | { readonly name: 'show'; readonly id: DeadLetterId }
  | { readonly name: 'replay'; readonly filter: DeadLetterFilter; readonly dryRun: boolean }
  | { readonly name: 'purge'; readonly before: number | undefined; readonly confirmed: boolean };

export const DLQ_HELP = `Usage: npm run dlq -- <command> [options]        (in the image: node dist/tools/dlq.js <command> [options])

  list [<id>...] [filter] [--json]       one line each, without personal data; counts by reason
  show <id>                              all of one, WITH personal data
  replay [<id>...] [filter] [--dry-run]  sends them again, except those that cannot become a row; safe to repeat
  purge --before <time> | --all [--yes]  deletes them for good; without --yes it only says what would go

An id is partition:offset, as list shows it. Filters, which must all fit:
  --reason <reason>   conflict, invalid or unstorable; may be given more than once
  --since <time>      written at this time or later (ISO 8601: 2026-11-23 or 2026-11-23T21:30:00Z)
  --until <time>      written before this time
  --email <email>     of this email

Settings come from the environment and .env, as for the service. Exit code: 0, 1 when it failed, 2 when the command line is wrong.`;

const ID = /^(\d{1,9}):(\d{1,18})$/;
const REASONS = ['conflict', 'invalid', 'unstorable'];
const FILTER_OPTIONS = {
  reason: { type: 'string', multiple: true },
  since: { type: 'string' },
  until: { type: 'string' },
  email: { type: 'string' },
} as const;

/** Throws UsageError. */
export function parseDlqArguments([name = 'none', ...args]: string[]): DlqCommand {
  switch (name) {
    case 'list':
      return parseList(args);
    case 'show':
      return parseShow(args);
    case 'replay':
      return parseReplay(args);
    case 'purge':
      return parsePurge(args);
    default:
      throw new UsageError('the command must be list, show, replay or purge');
  }
}

function parseList(args: string[]): DlqCommand {
  const { values, positionals } = parseOptions(args, { ...FILTER_OPTIONS, json: { type: 'boolean' } });
  return { name: 'list', filter: parseFilter(values, positionals), json: values.json ?? false };
}

function parseShow(args: string[]): DlqCommand {
  const { positionals } = parseOptions(args, {});
  const [id, ...others] = positionals;
  if (id === undefined || others.length > 0) throw new UsageError('show takes one id');
  return { name: 'show', id: parseId(id) };
}

function parseReplay(args: string[]): DlqCommand {
  const { values, positionals } = parseOptions(args, {
    ...FILTER_OPTIONS,
    'dry-run': { type: 'boolean' },
  });
  return { name: 'replay', filter: parseFilter(values, positionals), dryRun: values['dry-run'] ?? false };
}

function parsePurge(args: string[]): DlqCommand {
  const { values, positionals } = parseOptions(args, {
    before: { type: 'string' },
    all: { type: 'boolean' },
    yes: { type: 'boolean' },
  });
  if (positionals.length > 0) throw new UsageError('purge takes no ids: Kafka deletes from the oldest on');
  if ((values.before === undefined) === (values.all === undefined)) {
    throw new UsageError('purge takes either --before <time> or --all');
  }
  const before = values.before === undefined ? undefined : parseTime('before', values.before);
  return { name: 'purge', before, confirmed: values.yes ?? false };
}

interface FilterValues {
  readonly reason?: string[];
  readonly since?: string;
  readonly until?: string;
  readonly email?: string;
}

function parseFilter({ reason, since, until, email }: FilterValues, ids: string[]): DeadLetterFilter {
  if (reason?.some((each) => !REASONS.includes(each))) {
    throw new UsageError(`--reason must be one of ${REASONS.join(', ')}`);
  }
  return {
    ...(ids.length > 0 && { ids: ids.map(parseId) }),
    ...(reason && { reasons: reason }),
    ...(since !== undefined && { since: parseTime('since', since) }),
    ...(until !== undefined && { until: parseTime('until', until) }),
    ...(email !== undefined && { email: parseFilterEmail(email) }),
  };
}

function parseFilterEmail(email: string): string {
  try {
    return parseEmail(email);
  } catch (error) {
    throw new UsageError('--email must be a valid email', { cause: error });
  }
}

function parseId(text: string): DeadLetterId {
  const [, partition, offset] = ID.exec(text) ?? [];
  if (partition === undefined || offset === undefined) {
    throw new UsageError('an id is partition:offset, such as 0:17');
  }
  return { partition: Number(partition), offset: BigInt(offset) };
}

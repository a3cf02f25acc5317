import { parseEmail } from '../domain/email';
import { ifValid } from '../domain/validator';
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
const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean', default: false } as const;
const FILTER = { reason: { ...TEXT, multiple: true }, since: TEXT, until: TEXT, email: TEXT } as const;

/** Throws UsageError. */
export function parseDlqArguments([name = 'none', ...args]: string[]): DlqCommand {
  switch (name) {
    case 'list': {
      const { values, positionals } = parseOptions(args, { ...FILTER, json: FLAG });
      return { name, filter: parseFilter(values, positionals), json: values.json };
    }
    case 'show': {
      const [id, ...others] = parseOptions(args, {}).positionals;
      if (id === undefined || others.length > 0) throw new UsageError('show takes one id');
      return { name, id: parseId(id) };
    }
    case 'replay': {
      const { values, positionals } = parseOptions(args, { ...FILTER, 'dry-run': FLAG });
      return { name, filter: parseFilter(values, positionals), dryRun: values['dry-run'] };
    }
    case 'purge': {
      const { values, positionals } = parseOptions(args, { before: TEXT, all: FLAG, yes: FLAG });
      if (positionals.length > 0)
        throw new UsageError('purge takes no ids: Kafka deletes from the oldest on');
      const before = parseTime('before', values.before);
      if ((before !== undefined) === values.all)
        throw new UsageError('purge takes either --before <time> or --all');
      return { name, before, confirmed: values.yes };
    }
    default:
      throw new UsageError('the command must be list, show, replay or purge');
  }
}

type FilterValues = ReturnType<typeof parseOptions<typeof FILTER>>['values'];

function parseFilter(values: FilterValues, ids: string[]): DeadLetterFilter {
  const { reason: reasons, since, until } = values;
  if (reasons?.some((each) => !REASONS.includes(each)))
    throw new UsageError(`--reason must be one of ${REASONS.join(', ')}`);
  const email = ifValid(() => parseEmail(values.email));
  if (values.email !== undefined && email === undefined)
    throw new UsageError('--email must be a valid email');
  return {
    ids: ids.length > 0 ? ids.map(parseId) : undefined,
    reasons,
    since: parseTime('since', since),
    until: parseTime('until', until),
    email,
  };
}

function parseId(text: string): DeadLetterId {
  const [, partition, offset] = ID.exec(text) ?? [];
  if (partition === undefined || offset === undefined)
    throw new UsageError('an id is partition:offset, such as 0:17');
  return { partition: Number(partition), offset: BigInt(offset) };
}

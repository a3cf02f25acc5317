import { parseEmail } from '../domain/email';
import { ifValid } from '../domain/validator';
import type { ErasureTarget } from '../services/ports/stores';
import { toTarget } from './erasure-lines';
import { parseOptions, parseTime, UsageError } from './run-tool';

/** A parsed `privacy` command line. */
export type PrivacyCommand =
  | { readonly name: 'show'; readonly email: string }
  /** `targets` are undefined when they come on stdin. */
  | {
      readonly name: 'erase';
      readonly targets: readonly ErasureTarget[] | undefined;
      readonly confirmed: boolean;
    }
  | { readonly name: 'expire'; readonly before: Date; readonly confirmed: boolean };

export const PRIVACY_HELP = `Usage: npm run privacy -- <command> [options]        (in the image: node dist/tools/privacy.js <command> [options])

  show <email>                            all that is held of a person, as JSON, WITH personal data
  erase <email>... | --stdin [--yes]      erases people for good; prints one receipt each, as JSON, without the email
  expire --created-before <time> [--yes]  deletes older rows (ISO 8601: 2026-11-23 or 2026-11-23T21:30:00Z)

Without --yes, erase and expire only say what they would do. --stdin takes one of these a line: an email; the digest of
one, sha256:<64 hexadecimal digits>; a receipt, whose erasure then holds again, after a restore from backup.

Settings come from the environment and .env, as for the service. Exit code: 0, 1 when it failed, 2 when the command line is wrong.`;

const FLAG = { type: 'boolean', default: false } as const;

/** Throws UsageError. */
export function parsePrivacyArguments([name = 'none', ...args]: string[]): PrivacyCommand {
  switch (name) {
    case 'show': {
      const [word, ...others] = parseOptions(args, {}).positionals;
      const email = ifValid(() => parseEmail(word));
      if (email === undefined || others.length > 0) throw new UsageError('show takes one valid email');
      return { name, email };
    }
    case 'erase': {
      const { values, positionals } = parseOptions(args, { stdin: FLAG, yes: FLAG });
      if (values.stdin === positionals.length > 0)
        throw new UsageError('erase takes either emails or --stdin');
      const targets = values.stdin ? undefined : positionals.map(parseTarget);
      return { name, targets, confirmed: values.yes };
    }
    case 'expire': {
      const { values, positionals } = parseOptions(args, { 'created-before': { type: 'string' }, yes: FLAG });
      const before = parseTime('created-before', values['created-before']);
      if (before === undefined || before > Date.now() || positionals.length > 0)
        throw new UsageError('expire takes --created-before <time>, a time in the past');
      return { name, before: new Date(before), confirmed: values.yes };
    }
    default:
      throw new UsageError('the command must be show, erase or expire');
  }
}

function parseTarget(word: string, index: number): ErasureTarget {
  const target = toTarget(word);
  if (!target)
    throw new UsageError(`argument ${index + 1} of erase is neither a valid email nor sha256:<digest>`);
  return target;
}

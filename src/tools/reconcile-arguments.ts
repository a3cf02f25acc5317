import { parseOptions } from './arguments';
import { UsageError } from './usage-error';

/** What `reconcile` was asked to do. */
export interface ReconcileCommand {
  readonly name: 'reconcile';
  readonly olderThanMs: number;
  readonly isPublishing: boolean;
  readonly showsEmails: boolean;
}

const DEFAULT_MINUTES = '10';

export const RECONCILE_HELP = `Usage: npm run reconcile -- [options]        (in the image: node dist/tools/reconcile.js [options])

Lists reservations (user:pending:{email} in Redis) that have no row in PostgreSQL.

  --older-than <minutes>  only those accepted that long ago (${DEFAULT_MINUTES})
  --publish               sends their events again, and frees the e-mails that have a row; safe to repeat
  --show-emails           prints the e-mails, too

Settings come from the environment and .env, as for the service. Exit code: 0, 1 when it failed, 2 for a wrong usage.`;

/** Throws UsageError. */
export function parseReconcileArguments(args: string[]): ReconcileCommand {
  const { values, positionals } = parseOptions(args, {
    'older-than': { type: 'string', default: DEFAULT_MINUTES },
    publish: { type: 'boolean', default: false },
    'show-emails': { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError('reconcile takes only options');
  return {
    name: 'reconcile',
    olderThanMs: parseMinutes(values['older-than']) * 60_000,
    isPublishing: values.publish,
    showsEmails: values['show-emails'],
  };
}

function parseMinutes(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new UsageError('--older-than must be a number of minutes');
  return Number(text);
}

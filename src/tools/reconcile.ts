import type { Config } from '../config/config';
import { withStores } from './clients';
import {
  reconcilePending,
  type ClassifiedReservation,
  type ReservationState,
} from './pending-reconciliation';
import { Counts, parseOptions, plural, startTool, UsageError, type Tool } from './run-tool';
import type { Terminal } from './terminal';

/** A parsed `reconcile` command line. */
interface ReconcileCommand {
  readonly name: 'reconcile';
  readonly olderThanMs: number;
  readonly publish: boolean;
  readonly showEmails: boolean;
}

const DEFAULT_MINUTES = '10';
const HELP = `Usage: npm run reconcile -- [options]        (in the image: node dist/tools/reconcile.js [options])

Lists reservations (user:pending:{email} in Redis) that have no row in PostgreSQL.

  --older-than <minutes>  only those accepted that long ago (${DEFAULT_MINUTES})
  --publish               sends their events again, and frees the emails that have a row; safe to repeat
  --show-emails           prints the emails, too

Settings come from the environment and .env, as for the service. Exit code: 0, 1 when it failed, 2 when the command line is wrong.`;

/** `npm run reconcile`: reservations without a row, for operators. */
export const RECONCILE: Tool<ReconcileCommand> = { help: HELP, parse, run };

function parse(args: string[]): ReconcileCommand {
  const { values, positionals } = parseOptions(args, {
    'older-than': { type: 'string', default: DEFAULT_MINUTES },
    publish: { type: 'boolean', default: false },
    'show-emails': { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError('reconcile takes only options');
  const minutes = values['older-than'];
  if (!/^\d{1,6}(\.\d+)?$/.test(minutes)) throw new UsageError('--older-than must be a number of minutes');
  return {
    name: 'reconcile',
    olderThanMs: Number(minutes) * 60_000,
    publish: values.publish,
    showEmails: values['show-emails'],
  };
}

async function run(command: ReconcileCommand, config: Config, terminal: Terminal): Promise<void> {
  const counts = new Counts<ReservationState>();
  const seen = new Set<string>();
  await withStores(config, (stores) =>
    stores.entries.scan(async (entries) => {
      for (const reservation of await reconcilePending({ ...stores, ...command }, entries)) {
        const { email, state } = reservation;
        // A scan may visit a key twice. Recent ones, which may be many, are not worth remembering.
        if (state !== 'recent' && seen.has(email)) continue;
        if (state !== 'recent') seen.add(email);
        counts.add(state);
        if (!['recent', 'stored'].includes(state)) terminal.line(toLine(reservation, command));
      }
      terminal.progress(`${plural(counts.total, 'pending key')} so far`);
    }),
  );
  report(counts, command, terminal);
}

function toLine({ email, event, state, ageMs }: ClassifiedReservation, command: ReconcileCommand): string {
  const outcome = state === 'unstored' && command.publish ? 'published' : state;
  const suffix = command.showEmails ? `  ${email}` : '';
  if (event === undefined || ageMs === undefined) return `${outcome}${suffix}`;
  return `${event.eventId}  accepted ${event.acceptedAt}  ${Math.floor(ageMs / 60_000)} min ago  ${outcome}${suffix}`;
}

function report(counts: Counts<ReservationState>, command: ReconcileCommand, terminal: Terminal): void {
  const { publish, olderThanMs } = command;
  const [unstored, stored] = [counts.of('unstored'), counts.of('stored')];
  const parts = [
    `${unstored} without a row${publish ? ' (published)' : ''}`,
    `${counts.of('expiring')} expiring within a minute (left alone)`,
    `${stored} with a row${publish ? ' (freed)' : ''}`,
    `${counts.of('unreadable')} unreadable`,
    ...(counts.of('erased') > 0 ? [`${counts.of('erased')} erased (left alone)`] : []),
    `${counts.of('recent')} younger than ${olderThanMs / 60_000} min`,
  ];
  terminal.line(`${plural(counts.total, 'pending key')}: ${parts.join(', ')}`);
  if (!publish && unstored + stored > 0)
    terminal.note(`--publish sends the ${unstored} again and frees the ${stored}`);
}

if (require.main === module) startTool(RECONCILE);

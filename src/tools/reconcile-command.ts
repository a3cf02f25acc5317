import type { Config } from '../config/config';
import { PENDING_TTL_SECONDS } from '../redis/redis-keys';
import { PendingReconciliation, type JudgedEntry, type PendingState } from './pending-reconciliation';
import { withStores } from './clients';
import { Counts, plural } from './counts';
import type { ReconcileCommand } from './reconcile-arguments';
import type { Terminal } from './terminal';

/** Does what `reconcile` was asked for. */
export async function runReconcile(
  command: ReconcileCommand,
  config: Config,
  terminal: Terminal,
): Promise<void> {
  const counts = new Counts<PendingState>();
  await withStores(config, async (stores) => {
    const reconciliation = new PendingReconciliation({
      ...stores,
      ...command,
      pendingTtlMs: PENDING_TTL_SECONDS * 1000,
    });
    const seen = new Set<string>();
    await stores.entries.scan(async (entries) => {
      for (const judged of await reconciliation.reconcile(entries)) {
        // A scan may visit a key twice. Young ones, which may be many, are not worth remembering.
        if (judged.state !== 'young' && seen.has(judged.entry.email)) continue;
        if (judged.state !== 'young') seen.add(judged.entry.email);
        counts.add(judged.state);
        if (!['young', 'stored'].includes(judged.state)) terminal.line(toLine(judged, command));
      }
      terminal.progress(`${plural(counts.total, 'pending key')} so far`);
    });
  });
  report(counts, command, terminal);
}

function toLine({ entry, state, ageMs }: JudgedEntry, command: ReconcileCommand): string {
  const { email, event } = entry;
  const what = state === 'unstored' && command.isPublishing ? 'published' : state;
  const who = command.showsEmails ? `  ${email}` : '';
  if (event === undefined || ageMs === undefined) return `${what}${who}`;
  return `${event.eventId}  accepted ${event.acceptedAt}  ${Math.floor(ageMs / 60_000)} min ago  ${what}${who}`;
}

function report(counts: Counts<PendingState>, command: ReconcileCommand, terminal: Terminal): void {
  const { isPublishing, olderThanMs } = command;
  const unstored = counts.of('unstored');
  const stored = counts.of('stored');
  const parts = [
    `${unstored} without a row${isPublishing ? ' (published)' : ''}`,
    `${counts.of('ending')} ending within a minute (left alone)`,
    `${stored} with a row${isPublishing ? ' (freed)' : ''}`,
    `${counts.of('unreadable')} unreadable`,
    `${counts.of('young')} younger than ${olderThanMs / 60_000} min`,
  ];
  terminal.line(`${plural(counts.total, 'pending key')}: ${parts.join(', ')}`);
  if (!isPublishing && unstored + stored > 0) {
    terminal.note(`--publish sends the ${unstored} again and frees the ${stored}`);
  }
}

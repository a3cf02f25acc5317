import { setTimeout as wait } from 'node:timers/promises';
import type { TopicSettings } from '../kafka/topic-settings';
import { MAX_ERASED_AT_ONCE } from '../services/erasure-service';
import type { ErasureTarget } from '../services/ports/stores';
import type { Stores } from './clients';
import { toReceiptLine } from './erasure-lines';
import type { Terminal } from './terminal';

// A row is too young for 10 s.
const ROUND_PAUSE_MS = 2000;
const MAX_ROUNDS = 15;

interface MassErasureDeps {
  readonly stores: Pick<Stores, 'users' | 'erasures'>;
  /** Else nothing is done, only counted. */
  readonly confirmed: boolean;
  /** Null when Kafka is unavailable. */
  readonly settings: Pick<TopicSettings, 'copiesEnd'> | null;
  readonly terminal: Pick<Terminal, 'line' | 'note' | 'progress'>;
}

/** Erases any number of people, some at a time, and waits for rows that are too young. Safe to repeat. */
export class MassErasure {
  private readonly counts = { people: 0, rows: 0, newer: 0 };

  constructor(private readonly deps: MassErasureDeps) {}

  /** Throws UnavailableError. */
  async run(targets: readonly ErasureTarget[]): Promise<void> {
    let left = await this.withEmails(targets);
    for (let round = 0; left.length > 0; round += 1) {
      if (round === MAX_ROUNDS) throw new Error(`${left.length} of them register again and again`);
      if (round > 0) await wait(ROUND_PAUSE_MS);
      const tooYoung: ErasureTarget[] = [];
      for (let start = 0; start < left.length; start += MAX_ERASED_AT_ONCE) {
        tooYoung.push(...(await this.runBatch(left.slice(start, start + MAX_ERASED_AT_ONCE))));
        const waiting = tooYoung.length > 0 ? `; ${tooYoung.length} registered a moment ago: waiting` : '';
        this.deps.terminal.progress(`${this.summary}, of ${targets.length}${waiting}`);
      }
      left = tooYoung;
    }
  }

  get summary(): string {
    const { people, rows, newer } = this.counts;
    const done = this.deps.confirmed ? 'erased' : 'would be erased';
    const left = newer > 0 ? `, ${newer} left alone` : '';
    return `${people === 1 ? '1 person' : `${people} people`} ${done}, ${rows} with a row${left}`;
  }

  /** Resolves to those whose row is too young. */
  private async runBatch(batch: readonly ErasureTarget[]): Promise<ErasureTarget[]> {
    const { stores, confirmed, settings, terminal } = this.deps;
    const rows = await stores.users.findByEmails(batch.flatMap(({ email }) => email ?? []));
    const createdAt = new Map(rows.map((row) => [row.email, Date.parse(row.created_at)]));
    const isNewer = ({ email = '', asOfMs = Infinity }: ErasureTarget): boolean =>
      (createdAt.get(email) ?? -Infinity) >= asOfMs;
    const newer = batch.filter(isNewer);
    for (const { digest } of newer)
      terminal.note(`Left alone, with a row that is newer than the receipt: sha256:${digest}`);
    const due = batch.filter((target) => !newer.includes(target));
    const receipts = confirmed ? await stores.erasures.erase(due, 'cli') : undefined;
    receipts?.forEach((receipt) => terminal.line(toReceiptLine(receipt, settings?.copiesEnd())));
    const done = new Set((receipts ?? due).map(({ digest }) => digest));
    this.counts.people += done.size;
    this.counts.rows += receipts?.filter(({ row }) => row).length ?? rows.length - newer.length;
    this.counts.newer += newer.length;
    return due.filter(({ digest }) => !done.has(digest));
  }

  /** With the emails that rows have: reads the whole table if there are digests. */
  private async withEmails(targets: readonly ErasureTarget[]): Promise<ErasureTarget[]> {
    const digests = targets.filter(({ email }) => email === undefined).map(({ digest }) => digest);
    const found = digests.length > 0 ? await this.deps.stores.erasures.targetsOf(digests) : [];
    const emailOf = new Map(found.map(({ digest, email }) => [digest, email]));
    return targets.map((target) => ({ ...target, email: target.email ?? emailOf.get(target.digest) }));
  }
}

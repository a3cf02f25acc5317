import { UnavailableError } from '../domain/errors';
import { pause } from '../runtime/backoff';
import type { DependencyStatus } from './dependency-status';
import type { DoubtfulKeys, Logger, PendingEntries, Users } from './ports';
import { settleKeys, type SettledStores } from './promote-users';

const MAX_EMAILS = 100_000;
const CHUNK = 500;
const INTERVAL_MS = 1000;

export interface DoubtfulKeysRepairDeps extends SettledStores {
  readonly users: Pick<Users, 'findByEmails'>;
  readonly entries: Pick<PendingEntries, 'scan'>;
  readonly redis: DependencyStatus;
  /** How many connections to Redis there have been. */
  readonly connections: () => number;
  readonly log: Logger;
}

/**
 * Sets Redis keys right that do not tell the truth: an e-mail that has a row gets its `completed` key and loses its
 * reservation. Looks at the e-mails whose keys were not written while Redis was away and at those that were refused
 * although another one's reservation was there (bounded; the oldest is dropped first, its reservation then ends with its
 * hour), and behind each new connection at every reservation: a process that
 * was killed, or a Redis that came back with older data, leaves some of e-mails that have a row.
 */
export class DoubtfulKeysRepair implements DoubtfulKeys {
  readonly name = 'doubtful keys repair';
  readonly stopTimeoutMs = 2000;
  private readonly emails = new Set<string>();
  private readonly stopping = new AbortController();

  constructor(private readonly deps: DoubtfulKeysRepairDeps) {}

  add(emails: readonly string[]): void {
    for (const email of emails) {
      const oldest = this.emails.size >= MAX_EMAILS ? this.emails.values().next().value : undefined;
      if (oldest !== undefined) this.emails.delete(oldest);
      this.emails.add(email);
    }
  }

  start(): void {
    void this.run();
  }

  stop(): void {
    this.stopping.abort();
  }

  // Two healthy checks in a row: commands that lay in a frozen server's buffers have run by then.
  private async run(): Promise<void> {
    let healthyBefore = false;
    let sweptConnections = 0;
    while (!this.stopping.signal.aborted) {
      const { isHealthy } = this.deps.redis;
      const connections = this.deps.connections();
      if (isHealthy && healthyBefore) {
        await this.repairAll();
        if (connections !== sweptConnections && (await this.sweep())) sweptConnections = connections;
      }
      healthyBefore = isHealthy;
      await pause(INTERVAL_MS, this.stopping.signal);
    }
  }

  private async repairAll(): Promise<void> {
    const emails = [...this.emails];
    for (let start = 0; start < emails.length; start += CHUNK) {
      const chunk = emails.slice(start, start + CHUNK);
      chunk.forEach((email) => this.emails.delete(email));
      if (!(await this.repair(chunk))) return;
    }
    if (emails.length > 0) this.deps.log.info('doubtful Redis keys set right', { count: emails.length });
  }

  private async sweep(): Promise<boolean> {
    try {
      await this.deps.entries.scan(async (entries) => {
        if (!this.stopping.signal.aborted) await this.repair(entries.map(({ email }) => email));
      });
      return true;
    } catch (error) {
      this.deps.log.debug('reservations not looked at yet', { error });
      return false;
    }
  }

  private async repair(emails: readonly string[]): Promise<boolean> {
    try {
      await settleKeys(this.deps, await this.deps.users.findByEmails(emails));
      return true;
    } catch (error) {
      this.add(emails);
      if (!(error instanceof UnavailableError)) this.deps.log.error('repair of Redis keys failed', { error });
      return false;
    }
  }
}

import { UnavailableError } from '../domain/errors';
import { pause } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import type { DependencyStatus } from './dependency-status';
import type { Logger } from './ports';

/** How one dependency is checked. `check` rejects when the dependency cannot do its work. */
export interface DependencyCheck {
  readonly status: DependencyStatus;
  readonly check: () => Promise<void>;
  readonly timeoutMs: number;
  /** What to do about an error that waiting will not mend. */
  readonly remedy: (error: unknown) => string | undefined;
}

interface MonitorDeps {
  readonly checks: readonly DependencyCheck[];
  readonly intervalMs: number;
  readonly log: Logger;
}

/**
 * Checks each dependency for ever in the background, each by itself, so that no request has to. Logs when one comes or
 * goes, and when another remedy than the one it told last is known for one that stays away.
 */
export class DependencyMonitor {
  readonly name = 'dependency monitor';
  readonly stopTimeoutMs = 2000;
  private readonly stopping = new AbortController();
  private readonly told = new Map<DependencyStatus, string | undefined>();

  constructor(private readonly deps: MonitorDeps) {}

  start(): void {
    for (const check of this.deps.checks) void this.watch(check);
  }

  stop(): void {
    this.stopping.abort();
  }

  private async watch(check: DependencyCheck): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.checkOnce(check);
      await pause(this.deps.intervalMs, this.stopping.signal);
    }
  }

  private async checkOnce({ status, check, timeoutMs, remedy: remedyFor }: DependencyCheck): Promise<void> {
    const timeout = (): Error => new UnavailableError(`no answer within ${timeoutMs} ms`);
    try {
      await withTimeout(check(), timeoutMs, timeout);
      if (status.update(true)) this.deps.log.info('dependency is healthy', { dependency: status.name });
    } catch (error) {
      const remedy = remedyFor(error);
      // A server that came up only to refuse the password is no change of its status, but something can be done now.
      const isNewRemedy = remedy !== undefined && remedy !== this.told.get(status);
      if (!status.update(false) && !isNewRemedy) return;
      this.told.set(status, remedy);
      const fields = { dependency: status.name, ...(remedy !== undefined && { remedy }), error };
      if (status.wasReached) this.deps.log.warn('dependency is away', fields);
      else this.deps.log[remedy === undefined ? 'info' : 'warn']('waiting for dependency', fields);
    }
  }
}

import { UnavailableError } from '../domain/errors';
import { pause } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import type { DependencyState, Logger } from './ports/telemetry';

/** The servers that the service needs. */
export type DependencyName = 'redis' | 'postgres' | 'kafka';

/** What the background check last saw of one dependency. Written by DependencyMonitor only. */
export class DependencyStatus implements DependencyState {
  private last: 'unknown' | 'healthy' | 'limited' | 'unavailable' = 'unknown';
  /** Whether it was able to do all its work at least once since the process started. */
  wasReached = false;

  constructor(readonly name: DependencyName) {}

  get isHealthy(): boolean {
    return this.last === 'healthy';
  }

  get isUnavailable(): boolean {
    return this.last === 'unavailable';
  }

  /** Takes a check's result and returns whether it changed anything. `isUsable`: for a part of its work, as reads. */
  update(isHealthy: boolean, isUsable = isHealthy): boolean {
    const before = this.last;
    this.last = isHealthy ? 'healthy' : isUsable ? 'limited' : 'unavailable';
    this.wasReached ||= isHealthy;
    return before !== this.last;
  }
}

/** How often each dependency is checked. */
export const CHECK_INTERVAL_MS = 1000;
const START_POLL_MS = 50;

/** How one dependency is checked. `check` rejects when the dependency cannot do its work. */
export interface DependencyCheck {
  readonly status: DependencyStatus;
  readonly check: () => Promise<void>;
  readonly timeoutMs: number;
  /** False as long as the first check would be too early; nothing is known of the dependency until then. */
  readonly isDue?: () => boolean;
  /** Whether a dependency whose check failed with this error can do a part of its work. In a short time; never rejects. */
  readonly isUsable?: (error: unknown) => Promise<boolean>;
}

interface DependencyMonitorDeps {
  readonly checks: readonly DependencyCheck[];
  readonly intervalMs: number;
  /** What to do about an error that waiting will not mend: one sentence. */
  readonly hintFor: (dependency: DependencyName, error: unknown) => string | undefined;
  readonly log: Logger;
}

/**
 * Checks each dependency in the background, independently, so that no request has to. Logs when one becomes healthy or
 * unavailable, and when there is another hint than the last reported one.
 */
export class DependencyMonitor {
  readonly name = 'dependency monitor';
  readonly stopTimeoutMs = 2000;
  private readonly stopping = new AbortController();
  private readonly lastReportedHint = new Map<DependencyStatus, string | undefined>();

  constructor(private readonly deps: DependencyMonitorDeps) {}

  start(): void {
    for (const check of this.deps.checks) void this.watch(check);
  }

  stop(): void {
    this.stopping.abort();
  }

  private async watch(check: DependencyCheck): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted && check.isDue?.() === false) await pause(START_POLL_MS, signal);
    while (!signal.aborted) {
      await this.checkOnce(check);
      await pause(this.deps.intervalMs, signal);
    }
  }

  private async checkOnce({ status, check, timeoutMs, isUsable }: DependencyCheck): Promise<void> {
    const timeout = (): Error => new UnavailableError(`no response within ${timeoutMs} ms`);
    try {
      await withTimeout(check(), timeoutMs, timeout);
      if (status.update(true)) this.deps.log.info('dependency is healthy', { dependency: status.name });
    } catch (error) {
      const hint = this.deps.hintFor(status.name, error);
      // A server that came up but rejects the password does not change the status, yet now something can be done.
      const isNewHint = hint !== undefined && hint !== this.lastReportedHint.get(status);
      if (!status.update(false, await isUsable?.(error)) && !isNewHint) return;
      this.lastReportedHint.set(status, hint);
      const fields = { dependency: status.name, ...(hint !== undefined && { hint }), error };
      if (status.wasReached) this.deps.log.warn('dependency unavailable', fields);
      else this.deps.log[hint === undefined ? 'info' : 'warn']('waiting for dependency', fields);
    }
  }
}

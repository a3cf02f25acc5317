import type { DependencyState } from './ports';

/** What the background check last saw of one dependency. Written by DependencyMonitor only. */
export class DependencyStatus implements DependencyState {
  private last: 'unknown' | 'healthy' | 'away' = 'unknown';
  private reached = false;

  constructor(readonly name: string) {}

  get isHealthy(): boolean {
    return this.last === 'healthy';
  }

  get isAway(): boolean {
    return this.last === 'away';
  }

  /** Whether it answered at least once since the process started. */
  get wasReached(): boolean {
    return this.reached;
  }

  /** Takes in a check's outcome and tells whether it changed anything. */
  update(isHealthy: boolean): boolean {
    const before = this.last;
    this.last = isHealthy ? 'healthy' : 'away';
    this.reached ||= isHealthy;
    return before !== this.last;
  }
}

import { TIMEOUT_STEPS, withTimeout } from './timeout';

/** A limit that several waits share, one after the other: what one has used up is gone for the next. */
export class WaitBudget {
  constructor(
    private leftMs: number,
    private readonly onTimeout: () => Error,
  ) {}

  /**
   * `work`, or the error of `onTimeout` when it has not settled in what is left; at once when nothing is left. The
   * work itself goes on. Time in which this process stood still counts for one step at most, as in withTimeout().
   */
  async spend<T>(work: Promise<T>): Promise<T> {
    if (this.leftMs <= 0) {
      work.catch(() => undefined);
      throw this.onTimeout();
    }
    const startedAt = performance.now();
    const stepMs = this.leftMs / TIMEOUT_STEPS;
    let mostUsedMs = stepMs;
    const onStep = (): void => {
      mostUsedMs += stepMs;
    };
    try {
      return await withTimeout(work, this.leftMs, this.onTimeout, onStep);
    } finally {
      this.leftMs -= Math.min(performance.now() - startedAt, mostUsedMs);
    }
  }
}

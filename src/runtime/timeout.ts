/** Number of timer slices that make up a timeout. */
const SLICES = 6;

/**
 * `work`, or the error of `onTimeout` when it has not settled within `timeoutMs`. The work itself goes on.
 *
 * The time is counted in slices: while this process stood still (a blocked event loop, a throttled or overloaded CPU)
 * at most one of them passes, so that a healthy server is not taken for a silent one. `onSlice` is called as each passes.
 */
export function withTimeout<T>(
  work: Promise<T>,
  timeoutMs: number,
  onTimeout: () => Error,
  onSlice?: () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const pass = (slice: number): void => {
      timer = setTimeout(() => {
        onSlice?.();
        if (slice < SLICES) pass(slice + 1);
        // Timers run before sockets are read: a response that is there already counts as in time.
        else setImmediate(() => reject(onTimeout()));
      }, timeoutMs / SLICES);
    };
    pass(1);
    const settle =
      <V>(end: (value: V) => void) =>
      (value: V): void => {
        clearTimeout(timer);
        end(value);
      };
    work.then(settle(resolve), settle(reject));
  });
}

/** A time limit that several waits share, one after the other: each gets what the earlier ones have left. */
export class TimeBudget {
  constructor(
    private leftMs: number,
    private readonly onTimeout: () => Error,
  ) {}

  /**
   * withTimeout() for what is left; rejects at once when nothing is left. Time in which this process stood still uses up
   * one slice at most.
   */
  async run<T>(work: Promise<T>): Promise<T> {
    if (this.leftMs <= 0) {
      work.catch(() => undefined);
      throw this.onTimeout();
    }
    const startedAt = performance.now();
    const sliceMs = this.leftMs / SLICES;
    let mostUsedMs = sliceMs;
    try {
      return await withTimeout(work, this.leftMs, this.onTimeout, () => (mostUsedMs += sliceMs));
    } finally {
      this.leftMs -= Math.min(performance.now() - startedAt, mostUsedMs);
    }
  }
}

/** Waits for `closing` at most `timeoutMs`. Never rejects: a failure or the timeout only goes to `onFailure`. */
export async function closeWithin(
  timeoutMs: number,
  closing: Promise<unknown>,
  onFailure?: (error: unknown) => void,
): Promise<void> {
  const timeout = (): Error => new Error(`not closed within ${timeoutMs} ms`);
  await withTimeout(closing, timeoutMs, timeout).catch((error: unknown) => onFailure?.(error));
}

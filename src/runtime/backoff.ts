/** Waits between attempts: exponential, with jitter, bounded, cut short by a signal. */
export class Backoff {
  private attempts = 0;

  constructor(private readonly limits: { readonly minMs: number; readonly maxMs: number }) {}

  /** Waits for the next attempt's delay; returns at once (without an error) when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const ceiling = Math.min(this.limits.maxMs, this.limits.minMs * 2 ** this.attempts);
    this.attempts = Math.min(this.attempts + 1, 30);
    await pause(ceiling * (0.5 + Math.random() / 2), signal);
  }

  /** Starts again from the shortest delay. */
  reset(): void {
    this.attempts = 0;
  }
}

/** Waits `ms`; returns at once (without an error) when the signal aborts. Never keeps the process alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, ms));
    timer.unref();
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}

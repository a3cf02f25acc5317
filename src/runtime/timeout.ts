/** A timeout is counted in so many steps. */
export const TIMEOUT_STEPS = 6;

/**
 * `work`, or the error of `onTimeout` when it has not settled within `timeoutMs`. The work itself goes on.
 *
 * The time is counted in steps: while this process stood still (a blocked event loop, a throttled or overloaded CPU)
 * at most one of them passes, so that a healthy server is not taken for a silent one. `onStep` is called as each passes.
 */
export function withTimeout<T>(
  work: Promise<T>,
  timeoutMs: number,
  onTimeout: () => Error,
  onStep?: () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const pass = (step: number): void => {
      timer = setTimeout(() => {
        onStep?.();
        if (step < TIMEOUT_STEPS) pass(step + 1);
        // Timers run before sockets are read: an answer that lies there counts as in time.
        else setImmediate(() => reject(onTimeout()));
      }, timeoutMs / TIMEOUT_STEPS);
    };
    pass(1);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the work failed with
        reject(error);
      },
    );
  });
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

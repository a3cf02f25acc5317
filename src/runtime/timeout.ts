/**
 * `work`, or the error of `onTimeout` when it has not settled within `timeoutMs`. The work itself goes on.
 */
export function withTimeout<T>(work: Promise<T>, timeoutMs: number, onTimeout: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      // After a blocked event loop timers run before sockets are read: an answer that lies there counts as in time.
      setImmediate(() => reject(onTimeout()));
    }, timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

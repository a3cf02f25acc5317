/** One Ctrl-C can arrive twice: from the terminal, and passed on by npm. */
const sameKeystrokeMs = 500;

/** Calls `first` at the first SIGINT or SIGTERM and `second` at the next one after it. */
export function onStopSignals(first: () => void, second: () => void): void {
  let firstAt: number | undefined;
  const handle = (): void => {
    if (firstAt === undefined) {
      firstAt = Date.now();
      first();
    } else if (Date.now() - firstAt > sameKeystrokeMs) {
      second();
    }
  };
  process.on('SIGINT', handle).on('SIGTERM', handle);
}

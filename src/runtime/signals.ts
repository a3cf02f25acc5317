/** Runs `stop` on the first SIGTERM or SIGINT and exits with its verdict; a second signal exits at once. */
export function stopOnSignal(stop: (signal: string) => Promise<boolean>): void {
  let stopping = false;
  const onSignal = (signal: string): void => {
    if (stopping) process.exit(1);
    stopping = true;
    void stop(signal).then((clean) => process.exit(clean ? 0 : 1));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/**
 * A bug that escaped every handler: report it, stop in order, exit 1 (a process in an unknown state must not go on
 * serving). Only the first is reported: what the stop breaks on its way is no news.
 */
export function stopOnCrash(report: (error: unknown) => void, stop: () => Promise<boolean>): void {
  let isCrashed = false;
  const onCrash = (error: unknown): void => {
    if (isCrashed) return;
    isCrashed = true;
    report(error);
    void stop().finally(() => process.exit(1));
  };
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
}

/** Aborted by SIGTERM or SIGINT: for a program that then ends by itself. One Ctrl-C may come twice, as npm passes it on. */
export function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (): void => controller.abort();
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return controller.signal;
}

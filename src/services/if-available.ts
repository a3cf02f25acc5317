import { UnavailableError } from '../domain/errors';
import type { Logger } from './ports/telemetry';

/** What `work` resolves to, or null when it rejects with UnavailableError; other errors are passed on. */
export async function ifAvailable<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return null;
  }
}

/** For work that no response depends on. UnavailableError is ignored; any other error is a bug, which is logged. */
export function runInBackground(work: Promise<unknown>, log: Pick<Logger, 'error'>): void {
  ifAvailable(work).catch((error: unknown) => log.error('background work failed', { error }));
}

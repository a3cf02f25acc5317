import { UnavailableError } from '../domain/errors';
import type { Logger } from './ports/telemetry';

/** In place of a result: the dependency could not be asked. */
export const UNAVAILABLE = Symbol('unavailable');
export type Unavailable = typeof UNAVAILABLE;

/** What `work` resolves to, or UNAVAILABLE when it rejects with UnavailableError; other errors are passed on. */
export async function ifAvailable<T>(work: Promise<T>): Promise<T | Unavailable> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return UNAVAILABLE;
  }
}

/** For work that no response depends on. UnavailableError is ignored; any other error is a bug, which is logged. */
export function runInBackground(work: Promise<unknown>, log: Pick<Logger, 'error'>): void {
  ifAvailable(work).catch((error: unknown) => log.error('background work failed', { error }));
}

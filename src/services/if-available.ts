import { UnavailableError } from '../domain/errors';

/** What `work` resolves to; undefined when the dependency that it needs is away. */
export async function unlessAway<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return undefined;
  }
}

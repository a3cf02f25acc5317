interface BulkheadOptions {
  /** How many calls may run at the same time. */
  readonly max: number;
  readonly waitMs: number;
  readonly onTimeout: () => Error;
}

/** A semaphore with a queue and a queueing timeout: keeps one kind of work from using up a shared resource. */
export class Bulkhead {
  private running = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly options: BulkheadOptions) {}

  /** Runs the work, first come first served. Rejects with onTimeout's error, without running it, after `waitMs`. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.acquire();
    try {
      return await work();
    } finally {
      this.release();
    }
  }

  private acquire(): void | Promise<void> {
    if (this.running < this.options.max) {
      this.running += 1;
      return;
    }
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

  private release(): void {
    const [next] = this.waiting;
    if (next === undefined) this.running -= 1;
    else next();
  }
}

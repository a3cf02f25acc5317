import { Backoff, pause } from '../runtime/backoff';
import { ifAvailable } from './if-available';
import type { ErasureService } from './erasure-service';
import type { Erasures } from './ports/stores';
import type { Logger } from './ports/telemetry';

// So that what comes back with Redis is gone a minute after its return.
const SWEEP_INTERVAL_MS = 15_000;
const MAX_BACKOFF_MS = 30_000;

export interface ErasureSweeperDeps {
  readonly erasures: Pick<Erasures, 'sweep' | 'forget'>;
  readonly service: Pick<ErasureService, 'clean'>;
  readonly redis: { readonly connectedMs: number };
  readonly memoryDays: number;
  /** Between two looks: 15 s unless given. */
  readonly intervalMs: number | undefined;
  readonly log: Pick<Logger, 'error'>;
}

/**
 * Goes on where an erasure could not finish, and takes away what came back into Redis after it: from a reader that was
 * under way, or with a server that has older data.
 */
export class ErasureSweeper {
  readonly name = 'erasure sweeper';
  readonly stopTimeoutMs = 1000;
  /** Erasures that Redis was not cleaned of yet, by the last look. */
  unfinished = 0;
  private readonly stopping = new AbortController();

  constructor(private readonly deps: ErasureSweeperDeps) {}

  start(): void {
    void this.run();
  }

  /** What is under way may be cut: another look repeats it. */
  stop(): void {
    this.stopping.abort();
  }

  private async run(): Promise<void> {
    const { intervalMs = SWEEP_INTERVAL_MS, log } = this.deps;
    const { signal } = this.stopping;
    const backoff = new Backoff({ minMs: intervalMs, maxMs: Math.max(intervalMs, MAX_BACKOFF_MS) });
    await pause(intervalMs, signal);
    while (!signal.aborted) {
      const isDone = await this.sweepOnce().catch((error: unknown) => {
        log.error('erasures could not be finished', { error });
        return false;
      });
      if (isDone) backoff.reset();
      await (isDone ? pause(intervalMs, signal) : backoff.wait(signal));
    }
  }

  /** Resolves to whether both servers were there. */
  private async sweepOnce(): Promise<boolean> {
    const { erasures, memoryDays } = this.deps;
    const swept = await ifAvailable(this.sweepAll());
    const unfinished = await ifAvailable(erasures.forget(memoryDays));
    if (unfinished !== null) this.unfinished = unfinished;
    return swept !== null && unfinished !== null;
  }

  private async sweepAll(): Promise<void> {
    const { erasures, service, redis } = this.deps;
    while (!this.stopping.signal.aborted) {
      if (!(await erasures.sweep(redis.connectedMs, (due) => service.clean(due)))) return;
    }
  }
}

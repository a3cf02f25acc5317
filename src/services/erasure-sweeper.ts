import { pause } from '../runtime/backoff';
import { ifAvailable } from './if-available';
import type { ErasureService } from './erasure-service';
import type { UserEvents } from './ports/messaging';
import type { Erasures } from './ports/stores';
import type { Logger } from './ports/telemetry';

// So that what comes back with Redis is gone a minute after its return, and what is announced late is taken back in 90 s.
const SWEEP_INTERVAL_MS = 15_000;

export interface ErasureSweeperDeps {
  readonly erasures: Pick<Erasures, 'sweep' | 'announce' | 'forget'>;
  readonly service: Pick<ErasureService, 'clean'>;
  /** None where nobody is told. */
  readonly events: Pick<UserEvents, 'erased'> | undefined;
  readonly redis: { readonly connectedMs: number };
  readonly memoryDays: number;
  /** Between two looks: 15 s unless given. */
  readonly intervalMs: number | undefined;
  readonly log: Pick<Logger, 'error'>;
}

/**
 * Goes on where an erasure could not finish, and takes away what came back into Redis after it: from a reader that was
 * under way, or with a server that has older data. Tells other programs who was erased.
 */
export class ErasureSweeper {
  readonly name = 'erasure sweeper';
  readonly stopTimeoutMs = 1000;
  /** Erasures that Redis was not cleaned of yet, or nobody told, by the last look. */
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
    await pause(intervalMs, signal);
    while (!signal.aborted) {
      await this.sweepOnce().catch((error: unknown) =>
        log.error('erasures could not be finished', { error }),
      );
      // After a failure, too: that is seldom enough for a server that is unavailable.
      await pause(intervalMs, signal);
    }
  }

  // Each by itself: an unavailable Redis keeps nobody from being told, nor Kafka Redis from being cleaned.
  private async sweepOnce(): Promise<void> {
    const { erasures, service, redis, events, memoryDays } = this.deps;
    if (events) await ifAvailable(this.untilDone(() => erasures.announce((users) => events.erased(users))));
    await ifAvailable(this.untilDone(() => erasures.sweep(redis.connectedMs, (due) => service.clean(due))));
    const unfinished = await ifAvailable(erasures.forget(memoryDays, events !== undefined));
    if (unfinished !== null) this.unfinished = unfinished;
  }

  private async untilDone(workOnSome: () => Promise<boolean>): Promise<void> {
    while (!this.stopping.signal.aborted) if (!(await workOnSome())) return;
  }
}

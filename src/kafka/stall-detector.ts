import { pause } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import type { Logger } from '../services/ports';
import type { PartitionProgress } from './group-progress';
import { StuckPartitions } from './stuck-partitions';

// Longer than any honest silence (a join waits for the rebalance timeout), and half of what /live allows: the new
// consumer has as long again to show a sign of life.
const STALL_MS = 30_000;
const TICK_CHECK_MS = 1000;
const LAG_CHECK_MS = 10_000;
const FIRST_PATIENCE = 3;
const LAST_PATIENCE = 192;

export interface StallWatchdogDeps {
  readonly liveness: Pick<Liveness, 'silenceMs'>;
  /** Asked every ten seconds. */
  readonly readProgress: () => Promise<readonly PartitionProgress[]>;
  readonly log: Logger;
}

/** What is watched of one consumer. */
export interface WatchedConsumer {
  /** The partitions it was given when it last joined the group: a new list with each join. */
  readonly partitions: readonly number[];
  /** Whether it has a batch in hand, be it in back-off: then its other partitions may have to wait. */
  readonly isWriting: boolean;
}

/** Finds a consumer that stands still without an error: silent, or busy fetching and yet not getting on. */
export class StallWatchdog {
  private patience = FIRST_PATIENCE;

  constructor(private readonly deps: StallWatchdogDeps) {}

  /** Calls `onStall` at most once for each way of standing still. Resolves soon after `signal` aborts. */
  async watch(
    consumer: WatchedConsumer,
    onStall: (reason: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all([this.watchSilence(onStall, signal), this.watchLag(consumer, onStall, signal)]);
  }

  private async watchSilence(onStall: (reason: string) => void, signal: AbortSignal): Promise<void> {
    const builtAt = performance.now();
    const silenceMs = (): number => Math.min(this.deps.liveness.silenceMs, performance.now() - builtAt);
    while (!signal.aborted && silenceMs() < STALL_MS) await pause(TICK_CHECK_MS, signal);
    if (!signal.aborted) onStall(`no sign of life for ${STALL_MS} ms`);
  }

  private async watchLag(
    consumer: WatchedConsumer,
    onStall: (reason: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const isWriting = (): boolean => consumer.isWriting;
    let { partitions } = consumer;
    let stuck = new StuckPartitions(this.patience);
    for (;;) {
      await pause(LAG_CHECK_MS, signal);
      const wasWriting = isWriting();
      const reading = await this.read();
      if (signal.aborted) return;
      if (reading === undefined || wasWriting || isWriting()) continue;
      if (consumer.partitions !== partitions) stuck = new StuckPartitions(this.patience);
      partitions = consumer.partitions;
      const own = reading.filter(({ partition }) => partitions.includes(partition));
      const reason = stuck.observe(own);
      if (reason !== undefined) {
        // Should a new consumer not help, it is given twice the time: nothing is rebuilt in a tight loop.
        this.patience = Math.min(this.patience * 2, LAST_PATIENCE);
        onStall(reason);
        return;
      }
      if (own.every(({ position, end }) => position >= end)) this.patience = FIRST_PATIENCE;
    }
  }

  private async read(): Promise<readonly PartitionProgress[] | undefined> {
    try {
      return await this.deps.readProgress();
    } catch (error) {
      this.deps.log.debug('lag not known', { error });
      return undefined;
    }
  }
}

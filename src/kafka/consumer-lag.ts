import { Backoff, pause } from '../runtime/backoff';
import type { Logger } from '../services/ports';
import type { PartitionProgress } from './group-progress';

const FIRST_READING_MS = 1000;
// Longer than the ten seconds after which the watchdog of a consumer asks: while it does, nobody else has to.
const READING_MS = 15_000;
const MAX_BACKOFF_MS = 60_000;
// What was true so long ago is not known any more. Saying nothing is noticed, an old figure would not be.
const MAX_AGE_MS = 60_000;

export interface GroupProgressMonitorDeps {
  /** Asks Kafka; ends by itself when there is no answer. */
  readonly ask: () => Promise<readonly PartitionProgress[]>;
  readonly log: Logger;
}

/** Knows how far the consumer group is, whether this process has a consumer or not, and whether that one works. */
export class GroupProgressMonitor {
  readonly name = 'group progress';
  readonly stopTimeoutMs = 1000;
  private readonly stopping = new AbortController();
  private reading: readonly PartitionProgress[] = [];
  private readAt = -Infinity;
  private dueAt = Infinity;

  constructor(private readonly deps: GroupProgressMonitorDeps) {}

  start(): void {
    this.dueAt = performance.now() + FIRST_READING_MS;
    void this.watch();
  }

  /** A question that is under way ends by itself. */
  stop(): void {
    this.stopping.abort();
  }

  /** The last reading; empty when there is none of the last minute. */
  get latest(): readonly PartitionProgress[] {
    return performance.now() - this.readAt < MAX_AGE_MS ? this.reading : [];
  }

  /** Asks Kafka now. Rejects while Kafka is away, or the topic is missing. */
  async read(): Promise<readonly PartitionProgress[]> {
    const reading = await this.deps.ask();
    this.reading = reading;
    this.readAt = performance.now();
    this.dueAt = this.readAt + READING_MS;
    return reading;
  }

  private async watch(): Promise<void> {
    const { signal } = this.stopping;
    const backoff = new Backoff({ minMs: READING_MS, maxMs: MAX_BACKOFF_MS });
    for (;;) {
      await pause(this.dueAt - performance.now(), signal);
      if (signal.aborted) return;
      if (this.dueAt > performance.now()) continue; // Somebody else has asked meanwhile.
      try {
        await this.read();
        backoff.reset();
      } catch (error) {
        this.deps.log.debug('lag not known', { error });
        await backoff.wait(signal);
      }
    }
  }
}

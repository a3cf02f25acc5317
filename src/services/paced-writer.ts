import { pause } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import type { ReceivedRecord } from './ports';

const WINDOW_MS = 250;
/** Written this many times as fast as registrations come in, a backlog shrinks fast enough. */
const AHEAD = 1.5;
// A write that takes longer waits for a server, which leaves requests their time anyway.
const LONGEST_REST_MS = 100;
const LONGEST_TURN_MS = 500;

interface Writer {
  write(records: readonly ReceivedRecord[]): Promise<void>;
}

/**
 * Writes a backlog without making requests wait: while some come in, one batch at a time, and as long a rest after it as
 * it took. What is waited for is the CPU, which PostgreSQL, Redis and Kafka may share. Without requests, and where
 * registrations come in about as fast as they are written, all partitions write at once: a backlog must not grow by this.
 */
export class PacedWriter implements Writer {
  private requests = 0;
  private registrations = 0;
  private written = 0;
  private windowStart = 0;
  private isAhead = false;
  private lastTurn: Promise<void> = Promise.resolve();

  constructor(private readonly writer: Writer) {}

  /** A request was answered. */
  answered(status: number | 'aborted'): void {
    this.requests += 1;
    if (status === 201) this.registrations += 1;
  }

  /** As the writer's own: what is thrown says that nothing may be committed. */
  async write(records: readonly ReceivedRecord[]): Promise<void> {
    this.look();
    if (!this.isAhead) return this.writeNow(records);
    this.lastTurn = this.takeTurn(this.lastTurn, records);
    return this.lastTurn;
  }

  private look(): void {
    const now = performance.now();
    if (now - this.windowStart < WINDOW_MS) return;
    this.isAhead = this.requests > 0 && this.written >= AHEAD * this.registrations;
    this.requests = this.registrations = this.written = 0;
    this.windowStart = now;
  }

  // One partition that is blocked holds the others up for a moment only.
  private async takeTurn(before: Promise<void>, records: readonly ReceivedRecord[]): Promise<void> {
    await withTimeout(before, LONGEST_TURN_MS, () => new Error('blocked')).catch(() => undefined);
    const startedAt = performance.now();
    await this.writeNow(records);
    await pause(Math.min(performance.now() - startedAt, LONGEST_REST_MS));
  }

  private async writeNow(records: readonly ReceivedRecord[]): Promise<void> {
    await this.writer.write(records);
    this.written += records.length;
  }
}

import type { Batch } from 'kafkajs';
import { withTimeout } from '../runtime/timeout';

/** Requests are coming in: the last response was sent less than this ago. */
const RECENT_REQUEST_MS = 1000;
/** Target ratio of written to arriving records: a backlog shrinks fast enough. */
const TARGET_DRAIN_RATIO = 1.25;
/** Records, written and arrived, that make a sample: fewer would be chance, more would let a backlog grow for longer. */
const SAMPLE_RECORDS = 10_000;
/** Requests get two thirds of the time, unless a backlog would grow by it. */
const MIN_DUTY_CYCLE = 1 / 3;
/** How long throttling is bypassed when the backlog grows even without pauses, or requests are being shed. */
const BYPASS_MS = 5000;
/** A write that takes long waits for its server and needs no longer pause than this. */
const MAX_PAUSE_MS = 50;
// A blocked write gives up its turn after the first, and no write waits for its turn longer than the second: a stop or
// a rebalance waits for it.
const MAX_TURN_MS = 500;
const MAX_WAIT_MS = 2000;

/** What one fetch found in a partition: offsets of its first record, and after the partition's last one. */
interface Fetched {
  readonly first: number;
  readonly end: number;
  /** Whether it left records for later fetches. */
  readonly isBacklog: boolean;
  /** The duty cycle with which it is written; undefined when it is not throttled. */
  readonly dutyCycle: number | undefined;
}

/**
 * Keeps the writing of a backlog from making requests wait for the CPU, which PostgreSQL, Redis and Kafka may share
 * with this process. While requests come in, one batch is written at a time, in order, with a pause after each of twice
 * the time it took. The pause is shorter where a backlog would hardly shrink with it, measured by how far the
 * partitions' ends move on. Throttling is bypassed where the backlog would grow even without pauses, and while requests
 * are shed.
 */
export class BacklogThrottle {
  private readonly fetched = new Map<number, Fetched>();
  private bypassUntil = -Infinity;
  /** The share of the time in which throttled writes run; more where MAX_PAUSE_MS cuts the pause. */
  private dutyCycle = MIN_DUTY_CYCLE;
  private written = 0;
  private arrived = 0;
  private lastTurn: Promise<void> = Promise.resolve();

  /** When requests came last, health checks apart (performance.now()). */
  constructor(private readonly requests: { readonly lastRequestAt: number; readonly lastShedAt: number }) {}

  /** Takes in what a fetch brought of one partition. Returns whether its writes have to be throttled. */
  shouldThrottle(batch: Pick<Batch, 'partition' | 'messages' | 'highWatermark'>): boolean {
    const { partition, messages, highWatermark } = batch;
    const { lastRequestAt, lastShedAt } = this.requests;
    const at = performance.now();
    const end = Number(highWatermark);
    const first = Number(messages[0]?.offset);
    const before = this.fetched.get(partition);
    if (before !== undefined) this.updateDutyCycle(before, first, end);

    const isBacklog = Number(messages.at(-1)?.offset) + 1 < end;
    // While requests are shed, accepted records go first: if they waited, more would be accepted than is written.
    const isBypassed = at < this.bypassUntil || at - lastShedAt < BYPASS_MS;
    const isThrottled = isBacklog && !isBypassed && at - lastRequestAt < RECENT_REQUEST_MS;
    const dutyCycle = isThrottled ? this.dutyCycle : undefined;
    this.fetched.set(partition, { first, end, isBacklog, dutyCycle });
    if (![...this.fetched.values()].some((each) => each.isBacklog)) this.setDutyCycle(MIN_DUTY_CYCLE);
    return isThrottled;
  }

  /** Forgets the partitions: another member may have written, or write from now on, what was fetched here. */
  reset(): void {
    this.fetched.clear();
    this.setDutyCycle(MIN_DUTY_CYCLE);
  }

  /** Takes in how far a partition and its end moved on since it was fetched `before`. */
  private updateDutyCycle(before: Fetched, first: number, end: number): void {
    // Only what was written with the present duty cycle tells about it. A topic that was created again tells nothing.
    if (before.dutyCycle !== this.dutyCycle || first < before.first || end < before.end) return;
    this.written += first - before.first;
    this.arrived += end - before.end;
    if (this.written + this.arrived < SAMPLE_RECORDS) return;
    const wanted = (this.dutyCycle * TARGET_DRAIN_RATIO * this.arrived) / this.written;
    if (this.dutyCycle === 1 && wanted > 1) this.bypassUntil = performance.now() + BYPASS_MS;
    this.setDutyCycle(Math.min(1, Math.max(MIN_DUTY_CYCLE, wanted)));
  }

  private setDutyCycle(dutyCycle: number): void {
    this.dutyCycle = dutyCycle;
    this.written = this.arrived = 0;
  }

  /** Starts `write` when the previous turn is over. Settles as `write` does; the pause belongs to the turn. */
  async runThrottled(write: () => Promise<void>): Promise<void> {
    const before = this.lastTurn;
    let endTurn: () => void = () => undefined;
    this.lastTurn = new Promise((resolve) => (endTurn = resolve));
    await withTimeout(before, MAX_WAIT_MS, () => new Error('blocked')).catch(() => undefined);
    const startedAt = performance.now();
    const limit = setTimeout(endTurn, MAX_TURN_MS);
    try {
      await write();
    } finally {
      clearTimeout(limit);
      const pauseMs = (1 / this.dutyCycle - 1) * (performance.now() - startedAt);
      setTimeout(endTurn, Math.min(pauseMs, MAX_PAUSE_MS)).unref();
    }
  }
}

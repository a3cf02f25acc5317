import type { Batch } from 'kafkajs';
import { withTimeout } from '../runtime/timeout';

/** Requests come in: the last one was answered no longer ago. */
const LATELY_MS = 1000;
/** A backlog shrinks fast enough while so many times as many records are written as arrive. */
const AHEAD = 1.5;
/** When it does not, or requests are refused, all partitions write at once for so long. */
const HURRY_MS = 5000;
/** Two thirds of the time belong to the requests; a write that takes long waits for its server and needs no such rest. */
const REST_PER_TURN = 2;
const LONGEST_REST_MS = 50;
// A partition whose write is blocked holds the next one up no longer, and all that are blocked hold nobody up for longer
// than the wait: a stop or a rebalance waits behind it.
const LONGEST_TURN_MS = 500;
const LONGEST_WAIT_MS = 2000;

/** What one fetch found in a partition. */
interface Fetched {
  /** The offset of the first record it brought. */
  readonly first: number;
  /** The offset behind the partition's last record. */
  readonly end: number;
  /** Whether it is written in turns. Of the time in which it is not, no pace is to blame for what arrived. */
  readonly mustYield: boolean;
}

/**
 * Lets a backlog be written without making requests wait for the CPU, which PostgreSQL, Redis and Kafka may share with
 * this process: while requests come in, one batch at a time, and a rest after each of twice the time it took. Not where a
 * backlog would grow by it, whoever sends the records: what counts is how far each partition's end moves on. And not in
 * what is fetched while requests are refused.
 */
export class BacklogPace {
  private readonly fetched = new Map<number, Fetched>();
  private requestedAt = -Infinity;
  private hurryUntil = -Infinity;
  private lastTurn: Promise<void> = Promise.resolve();

  /** A request was answered: one of those that people wait for, no health check. */
  requested(): void {
    this.requestedAt = performance.now();
  }

  /** One was refused. What was accepted before goes first: if it waited, more would be accepted than is written. */
  refused(): void {
    this.hurryUntil = performance.now() + HURRY_MS;
  }

  /** Takes in what a fetch brought of one partition; whether it has to be written in turns. */
  mustYield({
    partition,
    messages,
    highWatermark,
  }: Pick<Batch, 'partition' | 'messages' | 'highWatermark'>): boolean {
    const at = performance.now();
    const end = Number(highWatermark);
    const first = Number(messages[0]?.offset);
    const before = this.fetched.get(partition);
    if (before?.mustYield && first - before.first < AHEAD * (end - before.end))
      this.hurryUntil = at + HURRY_MS;

    const isBacklog = Number(messages.at(-1)?.offset) + 1 < end;
    const mustYield = isBacklog && at >= this.hurryUntil && at - this.requestedAt < LATELY_MS;
    this.fetched.set(partition, { first, end, mustYield });
    return mustYield;
  }

  /** Begins `write` when the turn before it is over. Settles as `write` does; the rest belongs to the turn. */
  async inTurn(write: () => Promise<void>): Promise<void> {
    const before = this.lastTurn;
    let endTurn: () => void = () => undefined;
    this.lastTurn = new Promise((resolve) => (endTurn = resolve));
    await withTimeout(before, LONGEST_WAIT_MS, () => new Error('blocked')).catch(() => undefined);
    const startedAt = performance.now();
    const limit = setTimeout(endTurn, LONGEST_TURN_MS);
    try {
      await write();
    } finally {
      clearTimeout(limit);
      const restMs = REST_PER_TURN * (performance.now() - startedAt);
      setTimeout(endTurn, Math.min(restMs, LONGEST_REST_MS)).unref();
    }
  }
}

import type { Batch } from 'kafkajs';
import { withTimeout } from '../runtime/timeout';

/** Requests come in: the last one was answered no longer ago. */
const LATELY_MS = 1000;
/** A backlog shrinks fast enough while so many times as many records are written as arrive. */
const AHEAD = 1.25;
/** So many records, written and arrived, tell whether it does: fewer would be chance, more would let it grow for longer. */
const JUDGED_RECORDS = 10_000;
/** Two thirds of the time belong to the requests, unless a backlog would grow by it. */
const LEAST_SHARE = 1 / 3;
/** Where it hardly shrinks without a rest either, or requests are refused, all partitions write at once for so long. */
const HURRY_MS = 5000;
/** A write that takes long waits for its server and needs no more rest than this. */
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
  /** Whether it left some behind. */
  readonly isBacklog: boolean;
  /** The share of the time with which it is written in turns; undefined when it is not. */
  readonly share: number | undefined;
}

/**
 * Lets a backlog be written without making requests wait for the CPU, which PostgreSQL, Redis and Kafka may share with
 * this process: while requests come in, one batch at a time, and a rest after each of twice the time it took. The rest is
 * shorter where a backlog would hardly shrink with it, whoever sends the records: what counts is how far the partitions'
 * ends move on. And all partitions write at once where it would not even without a rest, or while requests are refused.
 */
export class BacklogPace {
  private readonly fetched = new Map<number, Fetched>();
  private requestedAt = -Infinity;
  private hurryUntil = -Infinity;
  /** The part of the time in which turns write; more where LONGEST_REST_MS cuts the rest. */
  private share = LEAST_SHARE;
  private written = 0;
  private arrived = 0;
  private lastTurn: Promise<void> = Promise.resolve();

  /** A request was answered: one of those that people wait for, no health check. */
  requested(): void {
    this.requestedAt = performance.now();
  }

  /** One was refused. What was accepted before goes first: if it waited, more would be accepted than is written. */
  refused(): void {
    this.hurry();
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
    if (before !== undefined) this.judge(before, first, end);

    const isBacklog = Number(messages.at(-1)?.offset) + 1 < end;
    const mustYield = isBacklog && at >= this.hurryUntil && at - this.requestedAt < LATELY_MS;
    this.fetched.set(partition, { first, end, isBacklog, share: mustYield ? this.share : undefined });
    if (![...this.fetched.values()].some((each) => each.isBacklog)) this.adopt(LEAST_SHARE);
    return mustYield;
  }

  /** Another member may have written meanwhile, or write from now on, what was fetched here: begins anew. */
  forget(): void {
    this.fetched.clear();
    this.adopt(LEAST_SHARE);
  }

  /** Takes in how far a partition came since it was fetched `before`, and how far its end moved on meanwhile. */
  private judge(before: Fetched, first: number, end: number): void {
    // What was not written in turns, or with another share, says nothing of this one; nor does a topic that was made anew.
    if (before.share !== this.share || first < before.first || end < before.end) return;
    this.written += first - before.first;
    this.arrived += end - before.end;
    if (this.written + this.arrived < JUDGED_RECORDS) return;
    const wanted = (this.share * AHEAD * this.arrived) / this.written;
    if (this.share === 1 && wanted > 1) this.hurry();
    this.adopt(Math.min(1, Math.max(LEAST_SHARE, wanted)));
  }

  private adopt(share: number): void {
    this.share = share;
    this.written = this.arrived = 0;
  }

  private hurry(): void {
    this.hurryUntil = performance.now() + HURRY_MS;
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
      const restMs = (1 / this.share - 1) * (performance.now() - startedAt);
      setTimeout(endTurn, Math.min(restMs, LONGEST_REST_MS)).unref();
    }
  }
}

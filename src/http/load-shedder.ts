import { performance, type EventLoopUtilization } from 'node:perf_hooks';

const WINDOW_MS = 50;
/**
 * A request that is let in finds at most so many milliseconds of other requests' work in front of it. So do the records it
 * leaves for the consumer, at each of their steps: with too many, more is let in than is written (docs/performance.md,
 * Overload). (Of the two, ALWAYS counts below 1,000 requests a second.)
 */
const WORK_AHEAD_MS = 100;
/** Always let in: a burst that comes after silence tells nothing about what can be done in a second. */
const ALWAYS = 100;
/** Refusals for each request that is finished. Three of them left 56 to 73 % of the capacity to clients that ask at once again. */
const REFUSALS_PER_REQUEST = 2;
const LEAST_REFUSALS = 100;
const SATURATED = 0.98;
const SMOOTHING = 0.1;
const REPORT_INTERVAL_MS = 10_000;

interface Logger {
  warn(message: string, fields: object): unknown;
}

export interface LoadShedderDeps {
  /** The refusals that are not out yet. */
  readonly waiting: { release(count: number): void };
  readonly log: Logger;
}

/**
 * Knows how many requests this process can have under way without making them wait: as many as it finishes in
 * WORK_AHEAD_MS (Little's law). Applied only while the event loop never rests; a slow dependency alone makes requests
 * wait too, but refusing others would not help those. And it lets refusals go out only so fast that they leave time for
 * the work, however often clients ask (what one of them pipelines behind its first request goes out with that one).
 */
export class LoadShedder {
  readonly name = 'load shedder';
  readonly stopTimeoutMs = 1000;
  private timer: NodeJS.Timeout | undefined;
  private limit = Infinity;
  private finished = 0;
  private refused = 0;
  private reportedAt = -Infinity;
  private finishedPerWindow = 0;
  private wasSaturated = false;

  constructor(private readonly deps: LoadShedderDeps) {}

  start(): void {
    let before: EventLoopUtilization = performance.eventLoopUtilization();
    let at = performance.now();
    this.timer = setInterval(() => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      const startedAt = at;
      before = now;
      // Now: the refusals that are sent take their time from the next window.
      at = performance.now();
      this.observe(utilization, at - startedAt);
    }, WINDOW_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.limit = Infinity;
  }

  /** Whether one more, beside those under way, would be too many. */
  isFull(underWay: number): boolean {
    return underWay >= this.limit;
  }

  /** One was refused. */
  countRefused(): void {
    this.refused += 1;
  }

  /** One that was let in is through. */
  answered(): void {
    this.finished += 1;
  }

  /** Takes in one window: the share of it that the event loop was busy. */
  observe(utilization: number, elapsedMs: number): void {
    const finished = (this.finished / elapsedMs) * WINDOW_MS;
    this.finished = 0;
    this.finishedPerWindow += (finished - this.finishedPerWindow) * SMOOTHING;
    // Two windows in a row: a collection of garbage fills one.
    const isSaturated = utilization >= SATURATED;
    const refusals = REFUSALS_PER_REQUEST * this.finishedPerWindow;
    this.deps.waiting.release(Math.round(Math.max(LEAST_REFUSALS, refusals) * (elapsedMs / WINDOW_MS)));
    const work = this.finishedPerWindow * (WORK_AHEAD_MS / WINDOW_MS);
    this.limit = isSaturated && this.wasSaturated ? Math.max(ALWAYS, work) : Infinity;
    this.wasSaturated = isSaturated;
    this.report();
  }

  private report(): void {
    if (this.refused === 0 || performance.now() - this.reportedAt < REPORT_INTERVAL_MS) return;
    this.deps.log.warn('more requests than this process can take: some are refused', {
      refused: this.refused,
      limit: Math.round(this.limit),
    });
    this.reportedAt = performance.now();
    this.refused = 0;
  }
}

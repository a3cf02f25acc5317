import { performance } from 'node:perf_hooks';
import type { Logger } from '../services/ports/telemetry';

const WINDOW_MS = 50;
/**
 * Target queueing delay: admits at most the requests that finish within this time, as Netflix's concurrency-limits does
 * (Little's law). The consumer finds them in front of each of its steps, too: with 150 ms, more was admitted than stored.
 */
const TARGET_QUEUE_MS = 100;
/** After idle time the throughput says nothing about capacity. */
const MIN_CONCURRENCY = 100;
/** A crowd after silence is admitted beyond the limit; a second of rest restores the allowance. */
const BURST = 2000;
const REST_WINDOWS = 20;
const SATURATION = 0.98;
// Windows in a row that begin and end an overload: a garbage collection fills one, and another process can empty some.
const SATURATED_WINDOWS = 2;
const CALM_WINDOWS = 5;
const SMOOTHING = 0.1;
const PARK_MS = 2000;
const REPORT_INTERVAL_MS = 10_000;

/**
 * Decides how many requests this process handles at a time. The limit applies only while the event loop never rests: a
 * slow dependency makes requests wait, too, but shedding others would not help those.
 */
export class LoadShedder {
  readonly name = 'load shedder';
  readonly stopTimeoutMs = 1000;
  private timer: NodeJS.Timeout | undefined;
  private limit = Infinity;
  private inFlight = 0;
  private completed = 0;
  private completedPerWindow = 0;
  private burst = BURST;
  private saturatedWindows = 0;
  private calmWindows = 0;
  private shed = 0;
  private reportedAt = -Infinity;
  private requestAt = -Infinity;
  private shedAt = -Infinity;

  constructor(private readonly log: Pick<Logger, 'warn'>) {}

  /** When a request was completed last, and when one was shed last (performance.now()). */
  get lastRequestAt(): number {
    return this.requestAt;
  }

  get lastShedAt(): number {
    return this.shedAt;
  }

  start(): void {
    let before = performance.eventLoopUtilization();
    let startedAt = performance.now();
    this.timer = setInterval(() => {
      const now = performance.eventLoopUtilization();
      const at = performance.now();
      this.observe(performance.eventLoopUtilization(now, before).utilization, at - startedAt);
      before = now;
      startedAt = at;
    }, WINDOW_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.limit = Infinity;
  }

  get isOverloaded(): boolean {
    return this.limit !== Infinity;
  }

  /** True, and the caller owes a complete(), when there is room for one more request. */
  tryAdmit(): boolean {
    if (this.inFlight >= this.limit) {
      if (this.burst < 1) return false;
      this.burst -= 1;
    }
    this.inFlight += 1;
    return true;
  }

  // An arrow function, as every response takes it along.
  readonly complete = (): void => {
    this.inFlight -= 1;
    this.completed += 1;
    this.requestAt = performance.now();
  };

  /**
   * Holds a request for two seconds, then admits it if the overload is over, else sheds it. A client that is rejected at
   * once asks again at once, and rejecting takes all the time there is. Returns what to call when the client leaves.
   */
  park(admit: () => void, reject: () => void): () => void {
    const timer = setTimeout(() => {
      if (!this.isOverloaded && this.tryAdmit()) {
        admit();
        return;
      }
      this.shed += 1;
      this.shedAt = performance.now();
      reject();
    }, PARK_MS);
    return () => clearTimeout(timer);
  }

  /** Takes in one window: the share of it that the event loop was busy. */
  observe(utilization: number, elapsedMs: number): void {
    const completed = (this.completed / elapsedMs) * WINDOW_MS;
    this.completed = 0;
    this.completedPerWindow += (completed - this.completedPerWindow) * SMOOTHING;
    const isSaturated = utilization >= SATURATION;
    this.saturatedWindows = isSaturated ? this.saturatedWindows + 1 : 0;
    this.calmWindows = isSaturated ? 0 : this.calmWindows + 1;
    const isOverloaded = this.isOverloaded
      ? this.calmWindows < CALM_WINDOWS
      : this.saturatedWindows >= SATURATED_WINDOWS;
    const work = this.completedPerWindow * (TARGET_QUEUE_MS / WINDOW_MS);
    this.limit = isOverloaded ? Math.max(MIN_CONCURRENCY, work) : Infinity;
    if (!isOverloaded) this.burst = Math.min(BURST, this.burst + BURST / REST_WINDOWS);
    this.report();
  }

  private report(): void {
    if (this.shed === 0 || performance.now() - this.reportedAt < REPORT_INTERVAL_MS) return;
    this.log.warn('overloaded, shedding requests', { shed: this.shed, limit: Math.round(this.limit) });
    this.reportedAt = performance.now();
    this.shed = 0;
  }
}

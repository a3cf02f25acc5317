/** Records a second from which they gather between fetches. */
const BUSY_RATE = 200;
const WINDOW_MS = 250;
/** Enough for one INSERT: more would only come later. */
const WANTED_RECORDS = 160;
const MAX_GATHER_MS = 100;

/**
 * Lets records gather while many come: fuller batches, hence fewer INSERTs and commits. While few come, a record is
 * fetched at once.
 */
export class FetchPacer {
  private rate = 0;
  private records = 0;
  private since = performance.now();

  /** Takes in what a fetch brought of one partition. Returns how long records may gather from now on, in milliseconds. */
  observe(records: number): number {
    this.records += records;
    const elapsedMs = performance.now() - this.since;
    if (elapsedMs >= WINDOW_MS) {
      this.rate = (this.records * 1000) / elapsedMs;
      this.records = 0;
      this.since += elapsedMs;
    }
    return this.rate < BUSY_RATE ? 0 : Math.min(MAX_GATHER_MS, (WANTED_RECORDS * 1000) / this.rate);
  }
}

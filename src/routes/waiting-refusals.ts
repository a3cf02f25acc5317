/** One request that is refused, once it is its turn. */
export interface Refusable {
  send(): void;
}

/**
 * The refusals that are not out yet, oldest first: there is one per connection at most. Clients that send again as soon
 * as they are refused get no more of the time than they are given here.
 */
export class WaitingRefusals {
  private readonly waiting = new Set<Refusable>();

  add(refusal: Refusable): void {
    this.waiting.add(refusal);
  }

  /** Its client has left. */
  delete(refusal: Refusable): void {
    this.waiting.delete(refusal);
  }

  /** Sends so many of them, if there are. */
  release(count: number): void {
    let left = count;
    for (const refusal of this.waiting) {
      if ((left -= 1) < 0) return;
      this.waiting.delete(refusal);
      refusal.send();
    }
  }
}

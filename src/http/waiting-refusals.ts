/** One request that is refused, once it is its turn. */
export interface Refusable {
  send(): void;
}

/**
 * The refusals that are not out yet, oldest first, one per connection at most. Who sends again as soon as it is refused
 * waits here again.
 */
export class WaitingRefusals {
  private readonly waiting = new Set<Refusable>();

  add(refusal: Refusable): void {
    this.waiting.add(refusal);
  }

  /** It is not to be sent: it is out, or its client has left. */
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

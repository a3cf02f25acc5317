const MAX_SILENCE_MS = 60_000;

/** Whether a loop that must never stall has done something recently; waiting in back-off counts. */
export class Liveness {
  private lastTickAt = performance.now();

  /** A process without such a loop is alive as long as it answers. */
  constructor(private readonly isWatched: boolean) {}

  tick(): void {
    this.lastTickAt = performance.now();
  }

  /** Milliseconds since the last tick; 0 without such a loop. */
  get silenceMs(): number {
    return this.isWatched ? performance.now() - this.lastTickAt : 0;
  }

  get isAlive(): boolean {
    return this.silenceMs < MAX_SILENCE_MS;
  }
}

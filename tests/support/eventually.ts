const DEADLINE_MS = 20_000;
const PAUSE_MS = 20;

/** Resolves with the first result of `probe` that is no error; rejects with its last error after 20 s. */
export async function eventually<T>(probe: () => T | Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

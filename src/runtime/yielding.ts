// So much takes a few milliseconds at most, be it parsed or written to a socket.
const TURN_ITEMS = 100;

/** The items in parts, each in a turn of the event loop of its own: between two of them everything else gets on. */
export async function* turns<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let start = 0; start < items.length; start += TURN_ITEMS) {
    if (start > 0) await new Promise((resolve) => setImmediate(resolve));
    yield items.slice(start, start + TURN_ITEMS);
  }
}

/** Begins the work on one part a turn, and resolves when all of it is done. Rejects as the first part that does. */
export async function inTurns<T>(
  items: readonly T[],
  work: (part: readonly T[]) => Promise<void>,
): Promise<void> {
  const begun: Promise<void>[] = [];
  for await (const part of turns(items)) {
    const working = work(part);
    // Looked at below; until then a failure must not count as unhandled.
    working.catch(() => undefined);
    begun.push(working);
  }
  await Promise.all(begun);
}

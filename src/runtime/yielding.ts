// Parsing or writing this many items takes a few milliseconds at most.
const CHUNK_SIZE = 100;

/** The items in chunks, each in its own turn of the event loop, so that other work gets its share in between. */
export async function* yieldingChunks<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let start = 0; start < items.length; start += CHUNK_SIZE) {
    if (start > 0) await new Promise((resolve) => setImmediate(resolve));
    yield items.slice(start, start + CHUNK_SIZE);
  }
}

/** Starts `work` on one chunk per turn of the event loop. Resolves when all is done, rejects as the first that fails. */
export async function forEachChunk<T>(
  items: readonly T[],
  work: (chunk: readonly T[]) => Promise<void>,
): Promise<void> {
  const started: Promise<void>[] = [];
  for await (const chunk of yieldingChunks(items)) {
    const working = work(chunk);
    // Awaited below; until then a failure must not count as unhandled.
    working.catch(() => undefined);
    started.push(working);
  }
  await Promise.all(started);
}

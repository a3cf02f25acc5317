// About 2 ms of work: what one turn of the event loop may take without being felt by the requests beside it.
const TURN_ITEMS = 100;

/** The items in parts, each in a turn of the event loop of its own: between two of them everything else gets on. */
export async function* turns<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let start = 0; start < items.length; start += TURN_ITEMS) {
    if (start > 0) await new Promise((resolve) => setImmediate(resolve));
    yield items.slice(start, start + TURN_ITEMS);
  }
}

import { FetchPacer } from '../../../src/kafka/fetch-pacer';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Fetches `each` records every `everyMs` for a second. Returns what the last fetch was told. */
function fetched(pacer: FetchPacer, each: number, everyMs: number): number {
  let gatherMs = NaN;
  for (let at = 0; at < 1000; at += everyMs) {
    jest.advanceTimersByTime(everyMs);
    gatherMs = pacer.observe(each);
  }
  return gatherMs;
}

describe('FetchPacer', () => {
  it.each([
    ['one now and then', 1, 500, 0],
    ['190 a second, one by one', 2, 10.5, 0],
    ['250 a second', 5, 20, 100],
    ['4,000 a second', 200, 50, 40],
  ])('%s', (_, each, everyMs, gatherMs) => {
    expect(fetched(new FetchPacer(), each, everyMs)).toBeCloseTo(gatherMs, 0);
  });

  it('takes the first of a crowd as they come, and lets no record wait once it is over', () => {
    const pacer = new FetchPacer();
    jest.advanceTimersByTime(1000);
    expect(pacer.observe(10)).toBe(0);
    expect(fetched(pacer, 100, 50)).toBeGreaterThan(0);
    jest.advanceTimersByTime(1000);
    expect(pacer.observe(1)).toBe(0);
  });
});

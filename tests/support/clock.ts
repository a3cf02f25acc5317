const TIMERS = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
] as const;
const OTHERS = ['nextTick', 'queueMicrotask', 'performance', 'hrtime'] as const;

/** `Date` shows this time and stands still until resetClock(); timers go on. */
export function setClock(epochMs: number): void {
  jest.useFakeTimers({ now: epochMs, doNotFake: [...TIMERS, ...OTHERS] });
}

/** `Date` shows the time. */
export function resetClock(): void {
  jest.useRealTimers();
}

import RequestQueue from 'kafkajs/src/network/requestQueue';

/**
 * kafkajs 2.2.4 re-arms a timer on every connection for ever: with nothing pending and no throttling its delay is
 * negative, which Node turns into 1 ms (about 4 % of a core when idle, and a warning on newer Node). The timer only
 * serves pending requests, so it is armed only when there are some.
 */
export function stopIdleTimer(): void {
  const { prototype } = RequestQueue;
  if (patched.has(prototype)) return;
  patched.add(prototype);
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its `this` below
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}

const patched = new WeakSet<object>();

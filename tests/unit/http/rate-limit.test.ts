import type { Options, Store } from 'express-rate-limit';
import { UnavailableError } from '../../../src/domain/errors';
import { FallbackRateLimitStore } from '../../../src/http/middleware/rate-limit';

/** Fails with what it is given. */
const failing = (error: Error): Store => ({
  increment: () => Promise.reject(error),
  decrement: () => Promise.reject(error),
  resetKey: () => Promise.reject(error),
});

function create(shared: Store, maxClients?: number) {
  const store = new FallbackRateLimitStore(shared, maxClients);
  store.init({ windowMs: 60_000 } as Options);
  return async (client: string): Promise<number> => (await store.increment(client)).totalHits;
}

describe('FallbackRateLimitStore', () => {
  it('store each client in memory while the shared store is unavailable', async () => {
    const count = create(failing(new UnavailableError('unavailable')));

    expect([await count('a'), await count('b'), await count('a')]).toEqual([1, 1, 2]);
  });

  it('store those for whom there is no room together', async () => {
    const count = create(failing(new UnavailableError('unavailable')), 2);
    await count('a');
    await count('b');

    expect([await count('c'), await count('d'), await count('c')]).toEqual([1, 2, 3]);
    expect([await count('a'), await count('b')]).toEqual([2, 2]);
  });

  it('hides no bug of the shared store', async () => {
    const count = create(failing(new TypeError('a bug')));

    await expect(count('a')).rejects.toThrow('a bug');
  });

  it('begins again after the window while the shared store is unavailable', async () => {
    jest.useFakeTimers();
    const count = create(failing(new UnavailableError('unavailable')));
    const first = [await count('a'), await count('a')];

    jest.advanceTimersByTime(60_000);
    const next = await count('a');
    jest.useRealTimers();

    expect([first, next]).toEqual([[1, 2], 1]);
  });
});

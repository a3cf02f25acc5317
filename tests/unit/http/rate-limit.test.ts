import type { Options, Store } from 'express-rate-limit';
import { UnavailableError } from '../../../src/domain/errors';
import { clientKey, FallbackRateLimitStore } from '../../../src/http/middleware/rate-limit';

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

  it('counts on, with no more room, when its window ends before those of its clients', async () => {
    jest.useFakeTimers();
    const count = create(failing(new UnavailableError('unavailable')), 2);
    jest.advanceTimersByTime(30_000);
    await count('a');
    await count('b');

    jest.advanceTimersByTime(30_000);
    const next = [await count('a'), await count('c'), await count('d')];
    jest.useRealTimers();

    expect(next).toEqual([2, 1, 2]);
  });
});

describe('clientKey', () => {
  it.each([
    [
      '203.0.113.7',
      ['203.0.113.7:40001', '203.0.113.7:40002', '::ffff:203.0.113.7', '[::ffff:203.0.113.7]:443'],
    ],
    ['203.0.113.7', ['::FFFF:cb00:7107', '[203.0.113.7]', '[::ffff:cb00:7107]:1']],
    [
      '2001:db8::/56',
      ['2001:db8::1', '2001:DB8::1', '[2001:db8::1]:443', '[2001:db8:0:0:0::2]', '2001:db8:0:ff::1'],
    ],
    ['fe80::/56', ['fe80::1%eth0', 'fe80::1%eth1', '[fe80::1%eth0]:443']],
    // What is no address: a client could send it in another way each time.
    [
      'unknown',
      ['', 'unknown', '_hidden', '203.0.113.7:', '203.0.113.7:port', '203.0.113.256', '[203.0.113.7', '::g'],
    ],
  ])('is %s for %j', (key, addresses) => {
    expect(addresses.map(clientKey)).toEqual(addresses.map(() => key));
  });

  it('keeps networks and addresses apart', () => {
    const addresses = ['203.0.113.7:1', '203.0.113.8:1', '[2001:db8::1]:1', '[2001:db8:0:100::1]:1', '?'];

    expect(new Set(addresses.map(clientKey)).size).toBe(addresses.length);
  });
});

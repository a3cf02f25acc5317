import type { Options, Store } from 'express-rate-limit';
import { UnavailableError } from '../../../src/domain/errors';
import { RequestCounts } from '../../../src/http/middleware/request-counts';

/** Fails with what it is given. */
const failing = (error: Error): Store => ({
  increment: () => Promise.reject(error),
  decrement: () => Promise.reject(error),
  resetKey: () => Promise.reject(error),
});

function create(shared: Store, maxClients?: number) {
  const counts = new RequestCounts(shared, maxClients);
  counts.init({ windowMs: 60_000 } as Options);
  return async (client: string): Promise<number> => (await counts.increment(client)).totalHits;
}

describe('RequestCounts', () => {
  it('counts each client in memory while the shared counts are away', async () => {
    const count = create(failing(new UnavailableError('away')));

    expect([await count('a'), await count('b'), await count('a')]).toEqual([1, 1, 2]);
  });

  it('counts those for whom there is no room together', async () => {
    const count = create(failing(new UnavailableError('away')), 2);
    await count('a');
    await count('b');

    expect([await count('c'), await count('d'), await count('c')]).toEqual([1, 2, 3]);
    expect([await count('a'), await count('b')]).toEqual([2, 2]);
  });

  it('hides no bug of the shared counts', async () => {
    const count = create(failing(new TypeError('a bug')));

    await expect(count('a')).rejects.toThrow('a bug');
  });
});

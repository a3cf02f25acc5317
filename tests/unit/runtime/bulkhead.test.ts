import { Bulkhead } from '../../../src/runtime/bulkhead';

/** Work that ends when it is told to. */
function tasks() {
  const begun: { name: string; end: (error?: Error) => void }[] = [];
  const task = (name: string) => () =>
    new Promise<string>((resolve, reject) => {
      begun.push({ name, end: (error) => (error ? reject(error) : resolve(name)) });
    });
  return { begun, task, names: () => begun.map(({ name }) => name) };
}

const onTimeout = (): Error => new Error('queued too long');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Bulkhead', () => {
  it('runs up to max at once and the others in order, one for each that ends, also when it failed', async () => {
    const bulkhead = new Bulkhead({ max: 2, waitMs: 60_000, onTimeout });
    const { begun, task, names } = tasks();

    const results = ['a', 'b', 'c', 'd', 'e'].map((name) => bulkhead.run(task(name)));
    await turn();
    expect(names()).toEqual(['a', 'b']);

    begun[0]?.end(new Error('broken'));
    await expect(results[0]).rejects.toThrow('broken');
    await turn();
    expect(names()).toEqual(['a', 'b', 'c']);

    begun[1]?.end();
    begun[2]?.end();
    await turn();
    expect(names()).toEqual(['a', 'b', 'c', 'd', 'e']);

    begun[3]?.end();
    begun[4]?.end();
    expect(await Promise.all(results.slice(1))).toEqual(['b', 'c', 'd', 'e']);
  });

  it('keeps a free slot for the next call', async () => {
    const bulkhead = new Bulkhead({ max: 1, waitMs: 60_000, onTimeout });

    for (let nth = 0; nth < 3; nth += 1) {
      expect(await bulkhead.run(() => Promise.resolve(nth))).toBe(nth);
    }
  });

  it('does not run work that has queued too long, and goes on after it', async () => {
    const bulkhead = new Bulkhead({ max: 1, waitMs: 20, onTimeout });
    const { begun, task, names } = tasks();
    const first = bulkhead.run(task('first'));

    await expect(bulkhead.run(task('late'))).rejects.toThrow('queued too long');
    begun[0]?.end();
    await first;
    const next = bulkhead.run(task('next'));
    await turn();
    begun[1]?.end();

    expect(await next).toBe('next');
    expect(names()).toEqual(['first', 'next']);
  });

  it('runs no more than max at once after it was idle either', async () => {
    const bulkhead = new Bulkhead({ max: 1, waitMs: 60_000, onTimeout });
    await bulkhead.run(() => Promise.resolve());
    const { begun, task, names } = tasks();

    const results = [bulkhead.run(task('first')), bulkhead.run(task('second'))];
    await turn();
    const atOnce = names();
    begun[0]?.end();
    await turn();
    begun[1]?.end();
    await Promise.all(results);

    expect(atOnce).toEqual(['first']);
  });
});

import { TimeBudget } from '../../../src/runtime/timeout';

const NEVER = new Promise<never>(() => undefined);

const create = (): TimeBudget => new TimeBudget(60, () => new Error('late'));
const after = (ms: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('done'), ms));

describe('TimeBudget', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** How long the wait took, and how it ended. */
  async function measure(wait: Promise<unknown>): Promise<{ ms: number; end: unknown }> {
    const startedAt = performance.now();
    const ended = wait.then(
      (end) => ({ ms: performance.now() - startedAt, end }),
      (error: unknown) => ({ ms: performance.now() - startedAt, end: (error as Error).message }),
    );
    await jest.advanceTimersByTimeAsync(1000);
    return ended;
  }

  it('gives the next wait what the one before has left', async () => {
    const budget = create();

    expect(await measure(budget.run(after(25)))).toEqual({ ms: 25, end: 'done' });
    const { ms, end } = await measure(budget.run(NEVER));

    expect(end).toBe('late');
    expect(ms).toBeCloseTo(35, -1);
  });

  it('waits no more when nothing is left', async () => {
    const budget = create();
    await measure(budget.run(NEVER));

    expect(await measure(budget.run(NEVER))).toEqual({ ms: 0, end: 'late' });
    expect(await measure(budget.run(Promise.reject(new Error('own'))))).toEqual({ ms: 0, end: 'late' });
  });

  it('counts a wait that fails, too, and passes its error on', async () => {
    const budget = create();

    const failed = after(50).then(() => Promise.reject(new Error('own')));
    expect(await measure(budget.run(failed))).toEqual({ ms: 50, end: 'own' });

    expect((await measure(budget.run(after(20)))).end).toBe('late');
  });

  it('counts the time in which the process stood still as one slice', async () => {
    jest.useRealTimers();
    const budget = create();

    const waiting = budget.run(after(1));
    const until = Date.now() + 100;
    while (Date.now() < until);
    await waiting;

    await expect(budget.run(after(1))).resolves.toBe('done');
  });
});

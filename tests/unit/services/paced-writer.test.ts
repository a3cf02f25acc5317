import { UnavailableError } from '../../../src/domain/errors';
import { PacedWriter } from '../../../src/services/paced-writer';
import type { ReceivedRecord } from '../../../src/services/ports';
import { buildRecord } from '../../support/builders';

const WINDOW_MS = 250;
const TOOK_MS = 40;
const LONGEST_REST_MS = 100;
const LONGEST_TURN_MS = 500;

const batch = (offset: number, records = 1): ReceivedRecord[] =>
  Array.from({ length: records }, () => ({ ...buildRecord(), offset: String(offset) }));

/** A paced writer, and what its inner one has begun: each write ends when it is told to. */
function setUp() {
  const begun: { offset: string; end: (error?: Error) => void }[] = [];
  const paced = new PacedWriter({
    write: ([first]) =>
      new Promise((resolve, reject) => {
        begun.push({ offset: first?.offset ?? '', end: (error) => (error ? reject(error) : resolve()) });
      }),
  });
  return { paced, begun, offsets: () => begun.map(({ offset }) => Number(offset)) };
}

/** One that has just seen a window in which requests came, of them so many registrations, and so much was written. */
async function afterWindow(written: number, requests: number, registrations: number) {
  const set = setUp();
  const { paced, begun } = set;
  await jest.advanceTimersByTimeAsync(WINDOW_MS);
  const writing = paced.write(batch(0, written));
  begun[0]?.end();
  await writing;
  for (let nth = 0; nth < requests; nth += 1) paced.answered(nth < registrations ? 201 : 200);
  await jest.advanceTimersByTimeAsync(WINDOW_MS);
  begun.length = 0;
  return set;
}

const slower = () => afterWindow(150, 200, 100);

describe('PacedWriter', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it.each([
    { written: 150, requests: 0, registrations: 0, title: 'no requests come' },
    { written: 149, requests: 100, registrations: 100, title: 'a backlog would shrink too slowly' },
  ])('writes all at once while $title', async ({ written, requests, registrations }) => {
    const { paced, offsets } = await afterWindow(written, requests, registrations);

    void paced.write(batch(1));
    void paced.write(batch(2));

    expect(offsets()).toEqual([1, 2]);
  });

  it('writes one batch at a time while requests come, and rests after it as long as it took', async () => {
    const { paced, begun, offsets } = await slower();

    const first = paced.write(batch(1));
    void paced.write(batch(2));
    await jest.advanceTimersByTimeAsync(TOOK_MS);
    expect(offsets()).toEqual([1]);

    begun[0]?.end();
    await jest.advanceTimersByTimeAsync(TOOK_MS - 1);
    expect(offsets()).toEqual([1]);
    await jest.advanceTimersByTimeAsync(1);
    expect(offsets()).toEqual([1, 2]);
    await first;
  });

  it('rests no longer than 100 ms', async () => {
    const { paced, begun, offsets } = await slower();

    void paced.write(batch(1));
    void paced.write(batch(2));
    await jest.advanceTimersByTimeAsync(2 * LONGEST_REST_MS);
    begun[0]?.end();
    await jest.advanceTimersByTimeAsync(LONGEST_REST_MS - 1);
    expect(offsets()).toEqual([1]);
    await jest.advanceTimersByTimeAsync(1);

    expect(offsets()).toEqual([1, 2]);
  });

  it('lets one partition that is blocked hold the others up for half a second only', async () => {
    const { paced, offsets } = await slower();

    void paced.write(batch(1));
    void paced.write(batch(2));
    await jest.advanceTimersByTimeAsync(LONGEST_TURN_MS);

    expect(offsets()).toEqual([1, 2]);
  });

  it('passes a failure on at once, and goes on with the others', async () => {
    const { paced, begun, offsets } = await slower();

    const first = paced.write(batch(1));
    const second = paced.write(batch(2));
    await jest.advanceTimersByTimeAsync(TOOK_MS);
    begun[0]?.end(new UnavailableError('away'));
    await expect(first).rejects.toThrow('away');
    await jest.advanceTimersByTimeAsync(0);
    expect(offsets()).toEqual([1, 2]);

    begun[1]?.end();
    await jest.advanceTimersByTimeAsync(TOOK_MS);
    await expect(second).resolves.toBeUndefined();
  });

  it('looks again after a quarter of a second', async () => {
    const { paced, offsets } = await slower();

    void paced.write(batch(1));
    await jest.advanceTimersByTimeAsync(WINDOW_MS);
    void paced.write(batch(2));

    expect(offsets()).toEqual([1, 2]);
  });
});

import type { PartitionLag } from '../../../src/kafka/consumer-lag';
import { StallDetector } from '../../../src/kafka/stall-detector';
import { Liveness } from '../../../src/runtime/liveness';

const READING_SECONDS = 10;

const at = (partition: number, committed: number, logEnd: number): PartitionLag => ({
  partition,
  committed: BigInt(committed),
  logEnd: BigInt(logEnd),
  logStart: 0n,
  isCommitted: true,
});

const STALLED = 'partition 0 has lag and is not advancing';

function setUp() {
  const liveness = new Liveness(true);
  const lag = { latest: [] as readonly PartitionLag[] };
  const detector = new StallDetector(liveness, lag);
  const waiting = new Set<number>();
  const consumer = {
    partitions: [0],
    isWaiting: (partition: number) => waiting.has(partition),
  };
  const stalls: string[] = [];
  const life = new AbortController();
  const watch = () => detector.watch(consumer, (reason) => stalls.push(reason), life.signal);
  /** Lets the consumer fetch, and its lag be read this many times, with this result. */
  const read = async (times: number, ...partitions: PartitionLag[]): Promise<void> => {
    for (let nth = 0; nth < times; nth += 1) {
      lag.latest = [...partitions];
      for (let second = 0; second < READING_SECONDS; second += 1) {
        liveness.tick();
        await jest.advanceTimersByTimeAsync(1000);
      }
    }
  };
  return { liveness, lag, consumer, waiting, stalls, life, watch, read };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('a silent consumer', () => {
  it('is detected after 30 s, once', async () => {
    const { stalls, watch, read } = setUp();
    void watch();
    await read(10);

    await jest.advanceTimersByTimeAsync(28_000);
    expect(stalls).toEqual([]);
    await jest.advanceTimersByTimeAsync(300_000);

    expect(stalls).toEqual(['no sign of life for 30000 ms']);
  });

  it('that was built after long silence has 30 s of its own; the silence itself goes on', async () => {
    const { stalls, watch, liveness } = setUp();
    await jest.advanceTimersByTimeAsync(45_000);
    void watch();

    await jest.advanceTimersByTimeAsync(20_000);

    expect(stalls).toEqual([]);
    expect(liveness.isAlive).toBe(false);
  });

  it('is not reported once it was replaced', async () => {
    const { stalls, watch, life } = setUp();
    const watching = watch();

    life.abort();
    await jest.advanceTimersByTimeAsync(300_000);
    await watching;

    expect(stalls).toEqual([]);
  });
});

describe('a consumer that fetches', () => {
  it('is stalled when a partition with lag does not advance in three readings', async () => {
    const { stalls, watch, read } = setUp();
    void watch();
    await read(5, at(0, 5, 5));

    await read(2, at(0, 5, 7));
    expect(stalls).toEqual([]);
    await read(1, at(0, 5, 8));

    expect(stalls).toEqual([STALLED]);
  });

  it('has lost its offset when the group’s goes back, even to where nothing is left to read', async () => {
    const { stalls, watch, read } = setUp();
    void watch();

    await read(1, at(0, 5, 5));
    await read(1, at(0, 0, 0));

    expect(stalls).toEqual(['offset of partition 0 is lost']);
  });

  it('is stalled in one partition although a write hangs in another one', async () => {
    const { stalls, watch, read, consumer, waiting } = setUp();
    consumer.partitions = [0, 1];
    waiting.add(1);
    void watch();

    await read(3, at(1, 5, 7), at(0, 5, 7));

    expect(stalls).toEqual([STALLED]);
  });

  it.each<[string, readonly number[], readonly number[], PartitionLag[]]>([
    ['has written everything', [0], [], [at(0, 7, 7)]],
    ['has no partition', [], [], [at(0, 5, 7)]],
    ['has lag only in another member’s partition', [0], [], [at(0, 7, 7), at(1, 5, 7)]],
    ['has a reason to wait', [0], [0], [at(0, 5, 7)]],
    ['has a lag that cannot be read', [0], [], []],
  ])('is not reported when it %s', async (_what, partitions, waits, lag) => {
    const { stalls, watch, read, consumer, waiting } = setUp();
    consumer.partitions = [...partitions];
    waits.forEach((partition) => waiting.add(partition));
    void watch();

    await read(30, ...lag);

    expect(stalls).toEqual([]);
  });

  it('is not reported while it advances, however slowly', async () => {
    const { stalls, watch, read } = setUp();
    void watch();

    for (let committed = 0; committed < 10; committed += 1) await read(2, at(0, committed, 100));

    expect(stalls).toEqual([]);
  });

  it('is judged by no reading twice', async () => {
    const { stalls, watch, read, lag, liveness } = setUp();
    void watch();
    await read(1, at(0, 5, 7));

    const { latest } = lag;
    for (let second = 0; second < 100; second += 1) {
      liveness.tick();
      await jest.advanceTimersByTimeAsync(1000);
    }

    expect(lag.latest).toBe(latest);
    expect(stalls).toEqual([]);
  });

  it('starts again with each join', async () => {
    const { stalls, watch, read, consumer } = setUp();
    void watch();

    for (let join = 0; join < 5; join += 1) {
      await read(2, at(0, 5, 7));
      consumer.partitions = [0];
    }

    expect(stalls).toEqual([]);
  });
});

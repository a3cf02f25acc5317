import type { KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { BacklogThrottle } from '../../../src/kafka/backlog-throttle';

const RECENT_REQUEST_MS = 1000;
const BYPASS_MS = 5000;
const TOOK_MS = 150;
const MAX_PAUSE_MS = 50;
const MAX_TURN_MS = 500;

/** A fetch of partition 0, with records from `first` up to `last`, when the partition's end was `end`. */
const fetched = (first: number, last: number, end: number, partition = 0) => ({
  partition,
  messages: [first, last].map((offset) => ({ offset: String(offset) }) as KafkaMessage),
  highWatermark: String(end),
});

/** A partition with a backlog, of which each fetch tells how many records were written and arrived since the last one. */
function backlog(throttle: TestedThrottle, partition = 0) {
  let [first, end] = [0, 1_000_000];
  const fetch = ({ written, arrived }: { written: number; arrived: number }): boolean => {
    first += written;
    end += arrived;
    return throttle.shouldThrottle(fetched(first, first + 899, end, partition));
  };
  fetch({ written: 0, arrived: 0 });
  return fetch;
}

/** A throttle that the test tells of requests. */
class TestedThrottle extends BacklogThrottle {
  constructor(private readonly activity = { lastRequestAt: -Infinity, lastShedAt: -Infinity }) {
    super(activity);
  }

  requested(): void {
    this.activity.lastRequestAt = performance.now();
  }

  shed(): void {
    this.activity.lastShedAt = performance.now();
  }
}

describe('BacklogThrottle', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  describe('throttles a fetch', () => {
    const requested = (): TestedThrottle => {
      const throttle = new TestedThrottle();
      throttle.requested();
      return throttle;
    };

    it('when it left a backlog and requests come in', () => {
      expect(requested().shouldThrottle(fetched(0, 899, 901))).toBe(true);
    });

    it('not when it brought all there was', () => {
      expect(requested().shouldThrottle(fetched(0, 899, 900))).toBe(false);
    });

    it('not when no request came in the last second', () => {
      const throttle = requested();

      jest.advanceTimersByTime(RECENT_REQUEST_MS - 1);
      expect(throttle.shouldThrottle(fetched(0, 899, 9000))).toBe(true);
      jest.advanceTimersByTime(1);
      expect(throttle.shouldThrottle(fetched(900, 1799, 9000))).toBe(false);
      expect(new TestedThrottle().shouldThrottle(fetched(0, 899, 9000))).toBe(false);
    });

    it('not, in no partition, for five seconds after the backlog hardly shrank without pauses', () => {
      const throttle = requested();
      const fetch = backlog(throttle);

      expect(fetch({ written: 4000, arrived: 10_000 })).toBe(true);
      expect(fetch({ written: 8000, arrived: 6400 })).toBe(true);
      expect(fetch({ written: 8000, arrived: 6401 })).toBe(false);
      jest.advanceTimersByTime(BYPASS_MS - 1);
      throttle.requested();
      expect(throttle.shouldThrottle(fetched(0, 899, 9000, 1))).toBe(false);
      jest.advanceTimersByTime(1);
      expect(throttle.shouldThrottle(fetched(900, 1799, 9000, 1))).toBe(true);
    });

    it('not for five seconds after the last request that was shed', () => {
      const throttle = requested();
      throttle.shed();
      jest.advanceTimersByTime(BYPASS_MS - 1);
      throttle.shed();

      jest.advanceTimersByTime(BYPASS_MS - 1);
      throttle.requested();
      expect(throttle.shouldThrottle(fetched(0, 899, 9000))).toBe(false);
      jest.advanceTimersByTime(1);
      expect(throttle.shouldThrottle(fetched(900, 1799, 9000))).toBe(true);
    });
  });

  describe('pauses after a write', () => {
    /** How long the next write waits after one that took 10 ms. */
    async function pauseAfter(throttle: TestedThrottle): Promise<number> {
      const begun: number[] = [];
      const write = (): Promise<void> => {
        begun.push(performance.now());
        return new Promise((resolve) => setTimeout(resolve, 10));
      };
      void throttle.runThrottled(write);
      void throttle.runThrottled(write);
      await jest.advanceTimersByTimeAsync(1000);
      return Number(begun[1]) - Number(begun[0]) - 10;
    }

    function setUp() {
      const throttle = new TestedThrottle();
      throttle.requested();
      return { throttle, fetch: backlog(throttle), fetchOther: backlog(throttle, 1) };
    }

    type Step = (of: ReturnType<typeof setUp>) => unknown;
    const otherIsDone: Step = ({ throttle }) => throttle.shouldThrottle(fetched(0, 9, 10, 1));
    const growing: Step = ({ fetch }) => fetch({ written: 4000, arrived: 10_000 });

    it.each<[string, number, Step[]]>([
      ['for twice the time it took at first', 20, []],
      [
        'no longer, however fast the backlog shrinks',
        20,
        [
          ({ fetch }) => fetch({ written: 10_000, arrived: 8000 }),
          ({ fetch }) => fetch({ written: 10_000, arrived: 0 }),
        ],
      ],
      [
        // 1.25 times as many in a third of the time: five twelfths of it.
        'for as much less as it shrinks less, over all partitions',
        14,
        [
          ({ fetch }) => fetch({ written: 1000, arrived: 4000 }),
          ({ fetchOther }) => fetchOther({ written: 4000, arrived: 1000 }),
        ],
      ],
      // The shortest timer takes 1 ms.
      ['not when even all the time is not enough', 1, [growing]],
      ['not, either, once another partition has no backlog', 1, [growing, otherIsDone]],
      [
        'for longer again when it is more than enough',
        10,
        [growing, ({ fetch }) => fetch({ written: 8000, arrived: 3200 })],
      ],
      [
        'as before while less than 10,000 records tell',
        20,
        [({ fetch }) => fetch({ written: 1, arrived: 9998 })],
      ],
      [
        'as before when a topic was created again: its offsets start again',
        14,
        [
          ({ fetch }) => fetch({ written: -900_000, arrived: -900_000 }),
          ({ fetch }) => fetch({ written: 5000, arrived: 5000 }),
        ],
      ],
      [
        'as at first once no partition has a backlog',
        20,
        [
          growing,
          otherIsDone,
          ({ throttle }) => throttle.shouldThrottle(fetched(2_000_000, 2_000_899, 2_000_900)),
        ],
      ],
      [
        'as at first after a reset, whatever another member wrote meanwhile',
        20,
        [
          growing,
          ({ throttle }) => throttle.reset(),
          ({ fetch }) => fetch({ written: 500_000, arrived: 900_000 }),
        ],
      ],
    ])('%s', async (_how, ms, steps) => {
      const all = setUp();

      for (const step of steps) {
        all.throttle.requested();
        step(all);
      }

      expect(await pauseAfter(all.throttle)).toBeCloseTo(ms, 0);
    });

    it('as before, whatever arrived since a fetch that was not throttled', async () => {
      const throttle = new TestedThrottle();
      throttle.shouldThrottle(fetched(0, 899, 9000));
      throttle.requested();

      throttle.shouldThrottle(fetched(10, 909, 100_000));

      expect(await pauseAfter(throttle)).toBe(20);
    });
  });

  describe('beside requests, when 100 records take 10 ms in a turn', () => {
    const BACKLOG = 1_000_000;
    const FETCH = 900;
    const SECONDS = 30;
    const AT_ONCE_PER_SECOND = 30_000;

    const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

    /** How a consumer of `partitions` drains a backlog while `perSecond` records arrive. */
    async function consume(partitions: number, perSecond: number) {
      const throttle = new TestedThrottle();
      const startedAt = performance.now();
      let [written, wasBypassed, isOver] = [0, false, false];
      const arrived = (): number => (perSecond * (performance.now() - startedAt)) / 1000;
      const consumePartition = async (partition: number): Promise<void> => {
        for (let first = 0; !isOver; first += FETCH) {
          throttle.requested();
          const end = Math.floor((BACKLOG + arrived()) / partitions);
          const shouldThrottle = throttle.shouldThrottle(fetched(first, first + FETCH - 1, end, partition));
          wasBypassed ||= !shouldThrottle;
          for (let part = 0; part < FETCH; part += 100) {
            if (shouldThrottle) await throttle.runThrottled(() => pass(10));
            else await pass((100 * 1000 * partitions) / AT_ONCE_PER_SECOND);
            written += 100;
          }
        }
      };
      const consuming = Array.from({ length: partitions }, (_, nth) => consumePartition(nth));
      await jest.advanceTimersByTimeAsync((SECONDS * 1000) / 2);
      const [writtenBefore, arrivedBefore] = [written, arrived()];
      await jest.advanceTimersByTimeAsync((SECONDS * 1000) / 2);
      const result = {
        wasBypassed,
        writtenPerArrived: (written - writtenBefore) / (arrived() - arrivedBefore),
      };
      isOver = true;
      await jest.advanceTimersByTimeAsync(10_000);
      await Promise.all(consuming);
      return result;
    }

    it.each([1, 3, 12])(
      'keeps its pauses where a third of the time is enough, with %i partitions',
      async (partitions) => {
        const { wasBypassed, writtenPerArrived } = await consume(partitions, 2000);

        expect(wasBypassed).toBe(false);
        expect(writtenPerArrived).toBeGreaterThan(1.4);
        expect(writtenPerArrived).toBeLessThan(1.8);
      },
    );

    it.each([1, 3, 12])('shortens them as far as need be, with %i partitions', async (partitions) => {
      const { wasBypassed, writtenPerArrived } = await consume(partitions, 5000);

      expect(wasBypassed).toBe(false);
      expect(writtenPerArrived).toBeGreaterThan(1.1);
      expect(writtenPerArrived).toBeLessThan(1.4);
    });

    it.each([3, 12])('bypasses them where no turn is enough, with %i partitions', async (partitions) => {
      const { wasBypassed, writtenPerArrived } = await consume(partitions, 11_000);

      expect(wasBypassed).toBe(true);
      expect(writtenPerArrived).toBeGreaterThan(1.1);
    });
  });

  describe('gives turns', () => {
    /** Writes that end when they are told to, each begun in a turn. */
    function setUp(count: number) {
      const begun: { nth: number; end: (error?: Error) => void }[] = [];
      const throttle = new TestedThrottle();
      const results = Array.from({ length: count }, (_, nth) =>
        throttle.runThrottled(
          () =>
            new Promise<void>((resolve, reject) => {
              begun.push({ nth, end: (error) => (error ? reject(error) : resolve()) });
            }),
        ),
      );
      return { results, begun, begunSoFar: () => begun.map(({ nth }) => nth) };
    }

    it('one at a time, with a pause of 50 ms at most between them, however many wait', async () => {
      const { results, begun, begunSoFar } = setUp(5);

      for (let nth = 0; nth < 5; nth += 1) {
        await jest.advanceTimersByTimeAsync(TOOK_MS);
        expect(begunSoFar()).toEqual([0, 1, 2, 3, 4].slice(0, nth + 1));
        begun[nth]?.end();
        await results[nth];
        await jest.advanceTimersByTimeAsync(MAX_PAUSE_MS - 1);
        expect(begunSoFar()).toHaveLength(nth + 1);
        await jest.advanceTimersByTimeAsync(1);
        expect(begunSoFar()).toHaveLength(Math.min(nth + 2, 5));
      }
    });

    it('to the next one after half a second, when a write is blocked', async () => {
      const { begunSoFar } = setUp(3);

      await jest.advanceTimersByTimeAsync(MAX_TURN_MS - 1);
      expect(begunSoFar()).toEqual([0]);
      await jest.advanceTimersByTimeAsync(1);
      expect(begunSoFar()).toEqual([0, 1]);
      await jest.advanceTimersByTimeAsync(MAX_TURN_MS);
      expect(begunSoFar()).toEqual([0, 1, 2]);
    });

    it('also after a failure, which its caller gets at once', async () => {
      const { results, begun, begunSoFar } = setUp(2);

      await jest.advanceTimersByTimeAsync(20);
      begun[0]?.end(new UnavailableError('down'));
      await expect(results[0]).rejects.toThrow('down');
      await jest.advanceTimersByTimeAsync(40);

      expect(begunSoFar()).toEqual([0, 1]);
    });
  });
});

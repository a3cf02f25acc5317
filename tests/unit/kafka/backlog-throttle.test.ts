import type { KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { BacklogPace } from '../../../src/kafka/backlog-throttle';

const LATELY_MS = 1000;
const HURRY_MS = 5000;
const TOOK_MS = 150;
const LONGEST_REST_MS = 50;
const LONGEST_TURN_MS = 500;

/** A fetch of partition 0, with records from `first` up to `last`, when the partition's end was `end`. */
const fetched = (first: number, last: number, end: number, partition = 0) => ({
  partition,
  messages: [first, last].map((offset) => ({ offset: String(offset) }) as KafkaMessage),
  highWatermark: String(end),
});

/** A partition with a backlog, of which each fetch comes when so many records were written and arrived since the one before. */
function backlog(pace: BacklogPace, partition = 0) {
  let [first, end] = [0, 1_000_000];
  const fetch = ({ written, arrived }: { written: number; arrived: number }): boolean => {
    first += written;
    end += arrived;
    return pace.mustYield(fetched(first, first + 899, end, partition));
  };
  fetch({ written: 0, arrived: 0 });
  return fetch;
}

describe('BacklogPace', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  describe('says that a fetch must yield', () => {
    const requested = (): BacklogPace => {
      const pace = new BacklogPace();
      pace.requested();
      return pace;
    };

    it('when it left a backlog behind and requests come in', () => {
      expect(requested().mustYield(fetched(0, 899, 901))).toBe(true);
    });

    it('not when it brought all there was', () => {
      expect(requested().mustYield(fetched(0, 899, 900))).toBe(false);
    });

    it('not when no request came in the last second', () => {
      const pace = requested();

      jest.advanceTimersByTime(LATELY_MS - 1);
      expect(pace.mustYield(fetched(0, 899, 9000))).toBe(true);
      jest.advanceTimersByTime(1);
      expect(pace.mustYield(fetched(900, 1799, 9000))).toBe(false);
      expect(new BacklogPace().mustYield(fetched(0, 899, 9000))).toBe(false);
    });

    it('not, in no partition, for five seconds after the backlog hardly shrank without a rest', () => {
      const pace = requested();
      const fetch = backlog(pace);

      expect(fetch({ written: 4000, arrived: 10_000 })).toBe(true);
      expect(fetch({ written: 8000, arrived: 6400 })).toBe(true);
      expect(fetch({ written: 8000, arrived: 6401 })).toBe(false);
      jest.advanceTimersByTime(HURRY_MS - 1);
      pace.requested();
      expect(pace.mustYield(fetched(0, 899, 9000, 1))).toBe(false);
      jest.advanceTimersByTime(1);
      expect(pace.mustYield(fetched(900, 1799, 9000, 1))).toBe(true);
    });

    it('not for five seconds after the last request that was refused', () => {
      const pace = requested();
      pace.refused();
      jest.advanceTimersByTime(HURRY_MS - 1);
      pace.refused();

      jest.advanceTimersByTime(HURRY_MS - 1);
      pace.requested();
      expect(pace.mustYield(fetched(0, 899, 9000))).toBe(false);
      jest.advanceTimersByTime(1);
      expect(pace.mustYield(fetched(900, 1799, 9000))).toBe(true);
    });
  });

  describe('rests after a write', () => {
    /** How long the next write waits after one that took 10 ms. */
    async function restOf(pace: BacklogPace): Promise<number> {
      const begun: number[] = [];
      const write = (): Promise<void> => {
        begun.push(performance.now());
        return new Promise((resolve) => setTimeout(resolve, 10));
      };
      void pace.inTurn(write);
      void pace.inTurn(write);
      await jest.advanceTimersByTimeAsync(1000);
      return Number(begun[1]) - Number(begun[0]) - 10;
    }

    function setUp() {
      const pace = new BacklogPace();
      pace.requested();
      return { pace, fetch: backlog(pace), fetchOther: backlog(pace, 1) };
    }

    it('for twice the time it took while the backlog shrinks by a fifth of what is written at least', async () => {
      const { pace, fetch } = setUp();
      expect(await restOf(pace)).toBe(20);

      pace.requested();
      fetch({ written: 10_000, arrived: 8000 });
      expect(await restOf(pace)).toBe(20);
      pace.requested();
      fetch({ written: 10_000, arrived: 0 });

      expect(await restOf(pace)).toBe(20);
    });

    it('for as much less as it shrinks less, over all partitions', async () => {
      const { pace, fetch, fetchOther } = setUp();

      fetch({ written: 1000, arrived: 4000 });
      fetchOther({ written: 4000, arrived: 1000 });

      // 1.25 times as many in a third of the time: five twelfths of it.
      expect(await restOf(pace)).toBeCloseTo(14, 0);
    });

    it('not when even all the time is not enough, and for longer again when more than enough', async () => {
      const { pace, fetch } = setUp();

      fetch({ written: 4000, arrived: 10_000 });
      expect(await restOf(pace)).toBeLessThanOrEqual(1);
      pace.requested();
      fetch({ written: 8000, arrived: 3200 });

      expect(await restOf(pace)).toBeCloseTo(10, 0);
    });

    it('as before, whatever arrived since a fetch that was not written in turns', async () => {
      const [outage, silence] = [new BacklogPace(), new BacklogPace()];
      outage.mustYield(fetched(0, 9, 10));
      silence.mustYield(fetched(0, 899, 9000));

      for (const pace of [outage, silence]) {
        pace.requested();
        pace.mustYield(fetched(10, 909, 100_000));
        expect(await restOf(pace)).toBe(20);
      }
    });

    it('as before, when a topic was made anew meanwhile: its offsets begin again', async () => {
      const { pace, fetch } = setUp();

      fetch({ written: -900_000, arrived: -900_000 });
      pace.requested();
      fetch({ written: 5000, arrived: 5000 });

      expect(await restOf(pace)).toBeCloseTo(14, 0);
    });

    it('as at first, once no partition has a backlog any more', async () => {
      const { pace, fetch } = setUp();
      fetch({ written: 4000, arrived: 10_000 });

      pace.mustYield(fetched(0, 9, 10, 1));
      expect(await restOf(pace)).toBeLessThanOrEqual(1);
      pace.mustYield(fetched(2_000_000, 2_000_899, 2_000_900));

      expect(await restOf(pace)).toBe(20);
    });

    it('as at first, when it has to forget', async () => {
      const { pace, fetch } = setUp();
      fetch({ written: 4000, arrived: 10_000 });

      pace.forget();

      expect(await restOf(pace)).toBe(20);
    });

    it('as before, whatever another member wrote of a partition that comes back', async () => {
      const { pace, fetch } = setUp();

      pace.forget();
      fetch({ written: 500_000, arrived: 900_000 });

      expect(await restOf(pace)).toBe(20);
    });

    it('as before until 10,000 records, written or arrived, tell', async () => {
      const { pace, fetch } = setUp();

      fetch({ written: 1, arrived: 9998 });
      expect(await restOf(pace)).toBe(20);
      pace.requested();
      fetch({ written: 0, arrived: 1 });

      expect(await restOf(pace)).toBeLessThanOrEqual(1);
    });
  });

  describe('beside requests, when 100 records take 10 ms in a turn', () => {
    const BACKLOG = 1_000_000;
    const FETCH = 900;
    const SECONDS = 30;
    const AT_ONCE_PER_SECOND = 30_000;

    const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

    /** What a consumer with so many partitions makes of a backlog when so many records arrive a second. */
    async function consume(partitions: number, perSecond: number) {
      const pace = new BacklogPace();
      const startedAt = performance.now();
      let [written, hasHurried, isOver] = [0, false, false];
      const arrived = (): number => (perSecond * (performance.now() - startedAt)) / 1000;
      const consumePartition = async (partition: number): Promise<void> => {
        for (let first = 0; !isOver; first += FETCH) {
          pace.requested();
          const end = Math.floor((BACKLOG + arrived()) / partitions);
          const mustYield = pace.mustYield(fetched(first, first + FETCH - 1, end, partition));
          hasHurried ||= !mustYield;
          for (let part = 0; part < FETCH; part += 100) {
            if (mustYield) await pace.inTurn(() => pass(10));
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
        hasHurried,
        writtenPerArrived: (written - writtenBefore) / (arrived() - arrivedBefore),
      };
      isOver = true;
      await jest.advanceTimersByTimeAsync(10_000);
      await Promise.all(consuming);
      return result;
    }

    it.each([1, 3, 12])(
      'keeps its rests where a third of the time is enough, with %i partitions',
      async (partitions) => {
        const { hasHurried, writtenPerArrived } = await consume(partitions, 2000);

        expect(hasHurried).toBe(false);
        expect(writtenPerArrived).toBeGreaterThan(1.4);
        expect(writtenPerArrived).toBeLessThan(1.8);
      },
    );

    it.each([1, 3, 12])('shortens them as far as need be, with %i partitions', async (partitions) => {
      const { hasHurried, writtenPerArrived } = await consume(partitions, 5000);

      expect(hasHurried).toBe(false);
      expect(writtenPerArrived).toBeGreaterThan(1.1);
      expect(writtenPerArrived).toBeLessThan(1.4);
    });

    it.each([3, 12])('gives them up where no turn is enough, with %i partitions', async (partitions) => {
      const { hasHurried, writtenPerArrived } = await consume(partitions, 11_000);

      expect(hasHurried).toBe(true);
      expect(writtenPerArrived).toBeGreaterThan(1.1);
    });
  });

  describe('gives turns', () => {
    /** Writes that end when they are told to, each begun in a turn. */
    function setUp(count: number) {
      const begun: { nth: number; end: (error?: Error) => void }[] = [];
      const pace = new BacklogPace();
      const results = Array.from({ length: count }, (_, nth) =>
        pace.inTurn(
          () =>
            new Promise<void>((resolve, reject) => {
              begun.push({ nth, end: (error) => (error ? reject(error) : resolve()) });
            }),
        ),
      );
      return { results, begun, begunSoFar: () => begun.map(({ nth }) => nth) };
    }

    it('one at a time, with a rest of 50 ms at most between them, however many wait', async () => {
      const { results, begun, begunSoFar } = setUp(5);

      for (let nth = 0; nth < 5; nth += 1) {
        await jest.advanceTimersByTimeAsync(TOOK_MS);
        expect(begunSoFar()).toEqual([0, 1, 2, 3, 4].slice(0, nth + 1));
        begun[nth]?.end();
        await results[nth];
        await jest.advanceTimersByTimeAsync(LONGEST_REST_MS - 1);
        expect(begunSoFar()).toHaveLength(nth + 1);
        await jest.advanceTimersByTimeAsync(1);
        expect(begunSoFar()).toHaveLength(Math.min(nth + 2, 5));
      }
    });

    it('with a rest of twice the time that the write took', async () => {
      const { begun, begunSoFar } = setUp(2);

      await jest.advanceTimersByTimeAsync(20);
      begun[0]?.end();
      await jest.advanceTimersByTimeAsync(39);
      expect(begunSoFar()).toEqual([0]);
      await jest.advanceTimersByTimeAsync(1);

      expect(begunSoFar()).toEqual([0, 1]);
    });

    it('to the next one after half a second, when a write is blocked', async () => {
      const { begunSoFar } = setUp(3);

      await jest.advanceTimersByTimeAsync(LONGEST_TURN_MS - 1);
      expect(begunSoFar()).toEqual([0]);
      await jest.advanceTimersByTimeAsync(1);
      expect(begunSoFar()).toEqual([0, 1]);
      await jest.advanceTimersByTimeAsync(LONGEST_TURN_MS);
      expect(begunSoFar()).toEqual([0, 1, 2]);
    });

    it('to nobody later than after two seconds', async () => {
      const { begunSoFar } = setUp(8);

      await jest.advanceTimersByTimeAsync(2000);

      expect(begunSoFar()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    });

    it('also behind a failure, which its caller hears of at once', async () => {
      const { results, begun, begunSoFar } = setUp(2);

      await jest.advanceTimersByTimeAsync(20);
      begun[0]?.end(new UnavailableError('away'));
      await expect(results[0]).rejects.toThrow('away');
      await jest.advanceTimersByTimeAsync(40);

      expect(begunSoFar()).toEqual([0, 1]);
    });
  });
});

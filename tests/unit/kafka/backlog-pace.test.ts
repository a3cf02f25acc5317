import type { KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { BacklogPace } from '../../../src/kafka/backlog-pace';

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

    it('while the backlog shrinks by a third of what is written at least', () => {
      const pace = requested();
      pace.mustYield(fetched(0, 899, 9000));

      expect(pace.mustYield(fetched(900, 1799, 9600))).toBe(true);
    });

    it('not, in no partition, for five seconds after one shrank less', () => {
      const pace = requested();
      pace.mustYield(fetched(0, 899, 9000));

      expect(pace.mustYield(fetched(900, 1799, 9601))).toBe(false);
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

    it('whatever arrived since a fetch that was not written in turns', () => {
      const [outage, silence] = [requested(), new BacklogPace()];
      outage.mustYield(fetched(0, 9, 10));
      silence.mustYield(fetched(0, 899, 9000));
      silence.requested();

      expect(outage.mustYield(fetched(10, 909, 9000))).toBe(true);
      expect(silence.mustYield(fetched(0, 899, 18_000))).toBe(true);
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

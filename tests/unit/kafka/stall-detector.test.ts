import type { PartitionProgress } from '../../../src/kafka/group-progress';
import { StallWatchdog, type WatchedConsumer } from '../../../src/kafka/stall-detector';
import { Liveness } from '../../../src/runtime/liveness';
import { RecordingLogger } from '../../support/recording-logger';

const at = (partition: number, position: number, end: number): PartitionProgress => ({
  partition,
  position: BigInt(position),
  end: BigInt(end),
});

const STUCK = 'partition 0 has records and stands still';

function setUp() {
  const liveness = new Liveness(true);
  const log = new RecordingLogger();
  const kafka = { progress: (): Promise<PartitionProgress[]> => Promise.resolve([at(0, 0, 0)]) };
  const watchdog = new StallWatchdog({ liveness, readProgress: () => kafka.progress(), log });
  const consumer = { partitions: [0], isWriting: false };
  const stalls: string[] = [];
  const life = new AbortController();
  const watch = (): void =>
    void watchdog.watch(
      consumer,
      (reason) => {
        stalls.push(reason);
        life.abort();
      },
      life.signal,
    );
  const is = (...progress: PartitionProgress[]): void => {
    kafka.progress = () => Promise.resolve(progress);
  };
  /** Lets time pass in which the consumer fetches. */
  const tick = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      liveness.tick();
      await jest.advanceTimersByTimeAsync(1000);
    }
  };
  return { liveness, log, kafka, watchdog, consumer, stalls, life, watch, is, tick };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('a silent consumer', () => {
  it('is found after 30 s', async () => {
    const { stalls, watch, tick } = setUp();
    watch();
    await tick(100);

    await jest.advanceTimersByTimeAsync(28_000);
    expect(stalls).toEqual([]);
    await jest.advanceTimersByTimeAsync(2000);

    expect(stalls).toEqual(['no sign of life for 30000 ms']);
  });

  it('that was built after long silence has 30 s of its own; the silence itself goes on', async () => {
    const { stalls, watch, liveness } = setUp();
    await jest.advanceTimersByTimeAsync(45_000);
    watch();

    await jest.advanceTimersByTimeAsync(20_000);

    expect(stalls).toEqual([]);
    expect(liveness.isAlive).toBe(false);
  });

  it('is left alone once its life is over', async () => {
    const { stalls, watch, life } = setUp();
    watch();

    life.abort();
    await jest.advanceTimersByTimeAsync(300_000);

    expect(stalls).toEqual([]);
  });
});

describe('a consumer that fetches', () => {
  it('is stuck when a partition with records stands still in three readings, 10 s apart', async () => {
    const { stalls, watch, is, tick } = setUp();
    is(at(0, 5, 7));
    watch();

    await tick(29);
    expect(stalls).toEqual([]);
    await tick(2);

    expect(stalls).toEqual([STUCK]);
  });

  it('has lost its place when the group’s offset goes back, even to where nothing is left to read', async () => {
    const { stalls, watch, is, tick } = setUp();
    is(at(0, 5, 5));
    watch();
    await tick(11);

    is(at(0, 0, 0));
    await tick(10);

    expect(stalls).toEqual(['offset of partition 0 is lost']);
  });

  it.each<[string, Partial<WatchedConsumer>, () => Promise<PartitionProgress[]>]>([
    ['has written everything', {}, () => Promise.resolve([at(0, 7, 7)])],
    ['has no partition', { partitions: [] }, () => Promise.resolve([at(0, 5, 7)])],
    ['waits while another one’s partition is slow', {}, () => Promise.resolve([at(0, 7, 7), at(1, 5, 7)])],
    ['holds a batch in back-off', { isWriting: true }, () => Promise.resolve([at(0, 5, 7)])],
    ['cannot ask Kafka', {}, () => Promise.reject(new Error('refused'))],
  ])('is left alone when it %s', async (_what, state, progress) => {
    const setting = setUp();
    Object.assign(setting.consumer, state);
    setting.kafka.progress = progress;
    setting.watch();

    await setting.tick(300);

    expect(setting.stalls).toEqual([]);
    expect(setting.log.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  it('is left alone while it gets on, however slowly', async () => {
    const { stalls, watch, is, tick } = setUp();
    watch();

    for (let position = 0; position < 10; position += 1) {
      is(at(0, position, 100));
      await tick(20);
    }

    expect(stalls).toEqual([]);
  });

  it('starts afresh with each join', async () => {
    const { stalls, watch, is, tick, consumer } = setUp();
    is(at(0, 5, 7));
    watch();

    for (let join = 0; join < 5; join += 1) {
      await tick(20);
      consumer.partitions = [0];
    }

    expect(stalls).toEqual([]);
  });

  it.each([
    ['began', true],
    ['ended', false],
  ])('does not count a reading during which a batch %s', async (_what, isWriting) => {
    const { stalls, watch, kafka, consumer, tick } = setUp();
    kafka.progress = () => {
      consumer.isWriting = isWriting;
      return Promise.resolve([at(0, 5, 7)]);
    };
    watch();

    for (let second = 0; second < 100; second += 1) {
      consumer.isWriting = !isWriting;
      await tick(1);
    }

    expect(stalls).toEqual([]);
  });

  it('is given twice the time after each rebuild that did not help, and the first time again once one did', async () => {
    const { watchdog, liveness, is, tick } = setUp();
    const secondsUntilStall = async (): Promise<number> => {
      const life = new AbortController();
      const consumer = { partitions: [0], isWriting: false };
      let seconds = 0;
      void watchdog.watch(consumer, () => life.abort(), life.signal);
      for (; !life.signal.aborted; seconds += 1) await tick(1);
      return seconds;
    };
    is(at(0, 5, 7));

    const waits = [await secondsUntilStall(), await secondsUntilStall(), await secondsUntilStall()];
    const helped = new AbortController();
    is(at(0, 7, 7));
    void watchdog.watch({ partitions: [0], isWriting: false }, () => undefined, helped.signal);
    await tick(11);
    helped.abort();
    is(at(0, 7, 9));

    expect([...waits, await secondsUntilStall()]).toEqual([30, 60, 120, 30]);
    expect(liveness.isAlive).toBe(true);
  });
});

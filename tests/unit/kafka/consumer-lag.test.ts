import { ConsumerLag, type PartitionLag } from '../../../src/kafka/consumer-lag';
import { RecordingLogger } from '../../support/recording-logger';

const LAG: PartitionLag = { partition: 0, committed: 5n, logEnd: 7n, logStart: 0n, isCommitted: true };

function setUp() {
  const kafka = { isAvailable: true, requests: 0 };
  const log = new RecordingLogger();
  const lag = new ConsumerLag({
    read: () => {
      kafka.requests += 1;
      return kafka.isAvailable ? Promise.resolve([LAG]) : Promise.reject(new Error('ECONNREFUSED'));
    },
    log,
  });
  return { kafka, lag, log };
}

const pass = (seconds: number): Promise<void> => jest.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('ConsumerLag', () => {
  it('is read soon after the start, then every 10 s, and stays the same array in between', async () => {
    const { kafka, lag } = setUp();
    expect(lag.latest).toEqual([]);

    lag.start();
    await pass(1);
    const first = lag.latest;
    await pass(9);
    const between = lag.latest;
    await pass(50);

    expect(first).toEqual([LAG]);
    expect(between).toBe(first);
    expect(lag.latest).not.toBe(first);
    expect(kafka.requests).toBe(6);
  });

  it('is unknown after a minute without a reading, which only the debug log mentions, and known again', async () => {
    const { kafka, lag, log } = setUp();
    lag.start();
    await pass(1);

    kafka.isAvailable = false;
    await pass(59);
    expect(lag.latest).toEqual([LAG]);
    await pass(2);
    expect(lag.latest).toEqual([]);
    expect(new Set(log.lines.map(({ level }) => level))).toEqual(new Set(['debug']));

    kafka.isAvailable = true;
    await pass(10);
    expect(lag.latest).toEqual([LAG]);
  });

  it('is not read any more after a stop', async () => {
    const { kafka, lag } = setUp();
    lag.start();

    lag.stop();
    await pass(300);

    expect(kafka.requests).toBe(0);
  });
});

import { ConsumerLag, type PartitionLag } from '../../../src/kafka/consumer-lag';
import { eventually } from '../../support/eventually';
import { RecordingMetrics } from '../../support/fakes/metrics';
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
    metrics: new RecordingMetrics(),
    log,
  });
  return { kafka, lag, log };
}

const pass = (seconds: number): Promise<void> => jest.advanceTimersByTimeAsync(seconds * 1000);

describe('ConsumerLag', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

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

const lagOf = (partition: number, logStart: bigint, isCommitted: boolean): PartitionLag => ({
  ...{ partition, committed: logStart, logEnd: 100n },
  ...{ logStart, isCommitted },
});

function setUpLost(reading: PartitionLag[]) {
  const metrics = new RecordingMetrics();
  const log = new RecordingLogger();
  const kafka = { isAvailable: true };
  const read = () =>
    kafka.isAvailable ? Promise.resolve(reading) : Promise.reject(new Error('ECONNREFUSED'));
  return { lag: new ConsumerLag({ read, metrics, log }), metrics, log, kafka };
}

const MESSAGE = 'records lost: Kafka deleted them before they were read';

describe('lost records', () => {
  it('says nothing of a log that begins at its beginning, nor of what the group has read', async () => {
    const { lag, log, metrics } = setUpLost([lagOf(0, 0n, false), lagOf(1, 50n, true)]);

    await lag.reportLost();

    expect([log.lines, metrics.lost]).toEqual([[], []]);
  });

  it('reports what was deleted before a group’s first read, once', async () => {
    const { lag, log, metrics } = setUpLost([lagOf(0, 20n, false)]);

    await lag.reportLost();
    await lag.reportLost();

    expect(log.lines).toEqual([{ level: 'error', message: MESSAGE, partition: 0, from: 0, to: 19 }]);
    expect(metrics.lost).toEqual([20]);
  });

  it('reports what a reset of the offset skips, of its partition alone', async () => {
    const { lag, log, metrics } = setUpLost([lagOf(0, 20n, true), lagOf(1, 30n, true)]);

    lag.reportReset({ partition: 1, wanted: 25n });

    await eventually(() => expect(metrics.lost).toEqual([5]));
    expect(log.lines).toEqual([{ level: 'error', message: MESSAGE, partition: 1, from: 25, to: 29 }]);
  });

  it('takes a reset to an earlier offset, as after the topic was deleted, for no loss', async () => {
    const { lag, log } = setUpLost([lagOf(0, 0n, true)]);

    await lag.reportLost({ partition: 0, wanted: 25n });

    expect(log.lines).toEqual([]);
  });

  it('is loud as well when it cannot find out how many there are', async () => {
    const { lag, log, kafka } = setUpLost([]);
    kafka.isAvailable = false;

    lag.reportReset({ partition: 1, wanted: 25n });

    await eventually(() => expect(log.lines).toMatchObject([{ level: 'error', message: MESSAGE, from: 25 }]));
    await expect(lag.reportLost()).rejects.toThrow('ECONNREFUSED');
  });
});

import type { PartitionProgress } from '../../../src/kafka/group-progress';
import { GroupProgressMonitor } from '../../../src/kafka/consumer-lag';
import { RecordingLogger } from '../../support/recording-logger';

const READING: readonly PartitionProgress[] = [{ partition: 0, position: 5n, end: 7n }];

function setUp() {
  const kafka = { isAway: false, questions: 0 };
  const monitor = new GroupProgressMonitor({
    ask: () => {
      kafka.questions += 1;
      return kafka.isAway ? Promise.reject(new Error('refused')) : Promise.resolve(READING);
    },
    log: new RecordingLogger(),
  });
  return { kafka, monitor };
}

const pass = (seconds: number): Promise<void> => jest.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('GroupProgressMonitor', () => {
  it('asks soon after the start, then every 15 s', async () => {
    const { kafka, monitor } = setUp();
    expect(monitor.latest).toEqual([]);

    monitor.start();
    await pass(1);

    expect(monitor.latest).toEqual(READING);
    await pass(60);
    expect(kafka.questions).toBe(5);
  });

  it('leaves the asking to the watchdog of a consumer for as long as it does so', async () => {
    const { kafka, monitor } = setUp();
    monitor.start();
    await pass(1);

    for (let times = 0; times < 6; times += 1) {
      await pass(10);
      await monitor.read();
    }
    expect(kafka.questions).toBe(1 + 6);

    await pass(15);
    expect(kafka.questions).toBe(1 + 6 + 1);
  });

  it('knows nothing any more after a minute without an answer, asks ever less often, and recovers', async () => {
    const { kafka, monitor } = setUp();
    monitor.start();
    await pass(1);

    kafka.isAway = true;
    await pass(59);
    expect(monitor.latest).toEqual(READING);
    await pass(2);
    expect(monitor.latest).toEqual([]);

    kafka.questions = 0;
    await pass(600);
    expect(kafka.questions).toBeGreaterThanOrEqual(9);
    expect(kafka.questions).toBeLessThanOrEqual(20);

    kafka.isAway = false;
    await pass(61);
    expect(monitor.latest).toEqual(READING);
  });

  it('asks no more once it is stopped', async () => {
    const { kafka, monitor } = setUp();
    monitor.start();

    monitor.stop();
    await pass(300);

    expect(kafka.questions).toBe(0);
  });
});

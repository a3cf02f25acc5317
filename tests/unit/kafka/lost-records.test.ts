import type { PartitionLag } from '../../../src/kafka/consumer-lag';
import { LostRecords } from '../../../src/kafka/lost-records';
import { eventually } from '../../support/eventually';
import { RecordingMetrics } from '../../support/fakes';
import { RecordingLogger } from '../../support/recording-logger';

const lagOf = (partition: number, logStart: bigint, isCommitted: boolean): PartitionLag => ({
  ...{ partition, committed: logStart, logEnd: 100n },
  ...{ logStart, isCommitted },
});

function setUp(lag: PartitionLag[]) {
  const metrics = new RecordingMetrics();
  const log = new RecordingLogger();
  const kafka = { isAvailable: true };
  const readLag = () =>
    kafka.isAvailable ? Promise.resolve(lag) : Promise.reject(new Error('ECONNREFUSED'));
  return { lost: new LostRecords({ readLag, metrics, log }), metrics, log, kafka };
}

const MESSAGE = 'records lost: Kafka deleted them before they were read';

describe('LostRecords', () => {
  it('says nothing of a log that begins at its beginning, nor of what the group has read', async () => {
    const { lost, log, metrics } = setUp([lagOf(0, 0n, false), lagOf(1, 50n, true)]);

    await lost.report();

    expect([log.lines, metrics.lost]).toEqual([[], []]);
  });

  it('reports what was deleted before a group’s first read, once', async () => {
    const { lost, log, metrics } = setUp([lagOf(0, 20n, false)]);

    await lost.report();
    await lost.report();

    expect(log.lines).toEqual([{ level: 'error', message: MESSAGE, partition: 0, from: 0, to: 19 }]);
    expect(metrics.lost).toEqual([20]);
  });

  it('reports what a reset of the offset skips, of its partition alone', async () => {
    const { lost, log, metrics } = setUp([lagOf(0, 20n, true), lagOf(1, 30n, true)]);

    lost.reportReset({ partition: 1, wanted: 25n });

    await eventually(() => expect(metrics.lost).toEqual([5]));
    expect(log.lines).toEqual([{ level: 'error', message: MESSAGE, partition: 1, from: 25, to: 29 }]);
  });

  it('takes a reset to an earlier offset, as after the topic was deleted, for no loss', async () => {
    const { lost, log } = setUp([lagOf(0, 0n, true)]);

    await lost.report({ partition: 0, wanted: 25n });

    expect(log.lines).toEqual([]);
  });

  it('is loud as well when it cannot find out how many there are', async () => {
    const { lost, log, kafka } = setUp([]);
    kafka.isAvailable = false;

    lost.reportReset({ partition: 1, wanted: 25n });

    await eventually(() => expect(log.lines).toMatchObject([{ level: 'error', message: MESSAGE, from: 25 }]));
    await expect(lost.report()).rejects.toThrow('ECONNREFUSED');
  });
});

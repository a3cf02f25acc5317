import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { RejectedError, UnavailableError } from '../../../src/domain/errors';
import { ConsumerBatches } from '../../../src/kafka/consumer-batches';
import { Liveness } from '../../../src/runtime/liveness';
import type { ReceivedRecord } from '../../../src/services/ports/messaging';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingLogger } from '../../support/recording-logger';

const unavailable = (): Promise<void> => Promise.reject(new UnavailableError('unavailable'));
const never = (): Promise<void> => new Promise(() => undefined);

const messages = (count: number): KafkaMessage[] =>
  Array.from({ length: count }, (_, index) => ({
    key: Buffer.from('key'),
    value: Buffer.from('value'),
    timestamp: '0',
    attributes: 0,
    offset: String(100 + index),
    headers: { 'request-id': Buffer.from(`request-${index}`) },
  }));

/** A batch of partition 2 from offset 100 on, and everything that is done for it, in order. */
function setUp(count = 1) {
  const events: string[] = [];
  const written: ReceivedRecord[] = [];
  const stopping = new AbortController();
  const liveness = new Liveness(true);
  const log = new RecordingLogger();
  const kafka = { isRunning: true, isStale: false, heartbeat: () => Promise.resolve() };
  const writer: { outcome: (records: readonly ReceivedRecord[]) => Promise<void> } = {
    outcome: () => Promise.resolve(),
  };
  const write = (records: readonly ReceivedRecord[]): Promise<void> => {
    events.push(`write ${records.length} from ${records[0]?.offset ?? ''}`);
    written.push(...records);
    return writer.outcome(records);
  };
  const payload = {
    batch: { topic: 'topic', partition: 2, messages: messages(count), highWatermark: '0' },
    isRunning: () => kafka.isRunning,
    isStale: () => kafka.isStale,
    heartbeat: () => {
      events.push('heartbeat');
      return kafka.heartbeat();
    },
    resolveOffset: (offset: string) => events.push(`resolve ${offset}`),
    commitOffsetsIfNecessary: (offsets: unknown) => {
      events.push(`commit ${JSON.stringify(offsets)}`);
      return Promise.resolve();
    },
  } as unknown as EachBatchPayload;
  const throttle = {
    isNeeded: false,
    shouldThrottle: () => throttle.isNeeded,
    runThrottled: (write: () => Promise<void>) => {
      events.push('throttled');
      return write();
    },
  };
  const metrics = new RecordingMetrics();
  const deps = { writer: { write }, throttle, liveness, metrics, log };
  const batches = new ConsumerBatches(deps, stopping.signal);
  return { throttle, events, written, stopping, liveness, log, metrics, kafka, writer, payload, batches };
}

const commitOf = (offset: string): string =>
  `commit ${JSON.stringify({ topics: [{ topic: 'topic', partitions: [{ partition: 2, offset }] }] })}`;

const isCommit = (event: string): boolean => /^(resolve|commit)/.test(event);

describe('ConsumerBatches', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('throttles a backlog, 100 records at a time, for three seconds, and not the rest of the fetch', async () => {
    const { batches, throttle, payload, writer, events } = setUp(801);
    throttle.isNeeded = true;
    writer.outcome = () => new Promise((resolve) => setTimeout(resolve, 1500));

    const done = batches.write(payload);
    await jest.advanceTimersByTimeAsync(10_000);
    await done;

    expect(events.filter((event) => /^(throttled|write)/.test(event))).toEqual([
      'throttled',
      'write 100 from 100',
      'throttled',
      'write 100 from 200',
      'write 500 from 300',
      'write 101 from 800',
    ]);
  });

  it('writes 500 records at a time and commits the offset after each part', async () => {
    const { batches, payload, events } = setUp(1001);

    await batches.write(payload);

    expect(events).toEqual([
      ...['write 500 from 100', 'resolve 599', commitOf('600'), 'heartbeat'],
      ...['write 500 from 600', 'resolve 1099', commitOf('1100'), 'heartbeat'],
      ...['write 1 from 1100', 'resolve 1100', commitOf('1101'), 'heartbeat'],
    ]);
  });

  /** As a server that needs this long for each record, and gives up after 10 s. */
  const slowServer = (perRecordMs: number) => async (records: readonly ReceivedRecord[]) => {
    const neededMs = records.length * perRecordMs;
    await new Promise((resolve) => setTimeout(resolve, Math.min(neededMs, 10_000)));
    if (neededMs > 10_000) throw new RejectedError('57014');
  };

  it('halves what takes too long, goes on with the parts that do not, and grows again when it is fast', async () => {
    const { batches, payload, writer, events, metrics } = setUp(2000);
    writer.outcome = slowServer(60);

    const done = batches.write(payload);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(events.filter((event) => event.startsWith('write'))).toEqual([
      'write 500 from 100',
      'write 250 from 100',
      'write 125 from 100',
      'write 125 from 225',
      'write 125 from 350',
      'write 125 from 475',
      'write 125 from 600',
      'write 125 from 725',
    ]);
    expect(events.filter((event) => event.startsWith('resolve'))).toHaveLength(5);
    expect(metrics.rejections).toEqual([
      ['57014', undefined],
      ['57014', undefined],
    ]);

    events.length = 0;
    writer.outcome = slowServer(1);
    await jest.advanceTimersByTimeAsync(60_000);
    await done;
    expect(events.filter((event) => event.startsWith('write'))).toEqual([
      'write 125 from 850',
      'write 250 from 975',
      'write 500 from 1225',
      'write 375 from 1725',
    ]);
  });

  it.each([3, 17])('goes down to single records when %i of them take too long together', async (count) => {
    const { batches, payload, writer, written, events } = setUp(count);
    writer.outcome = slowServer(6000);

    const done = batches.write(payload);
    await jest.advanceTimersByTimeAsync(300_000);
    await done;

    expect(events.filter((event) => event.startsWith('write 1 '))).toHaveLength(count);
    expect(written.at(-1)?.offset).toBe(String(99 + count));
  });

  it('lets another partition have its whole batch meanwhile', async () => {
    const { batches, payload, writer, events } = setUp(500);
    writer.outcome = slowServer(60);
    const done = batches.write(payload);
    await jest.advanceTimersByTimeAsync(25_000);

    writer.outcome = slowServer(1);
    events.length = 0;
    const batch = { ...payload.batch, partition: 3 };
    await Promise.all([batches.write({ ...payload, batch }), jest.advanceTimersByTimeAsync(60_000)]);
    await done;

    expect(events).toContain('write 500 from 100');
  });

  it('lets records gather after the commit while many come, but not beside a backlog, nor in a stop', async () => {
    const { batches, payload, events, stopping } = setUp(100);
    await batches.write(payload);
    await jest.advanceTimersByTimeAsync(250);
    events.length = 0;

    const times: number[] = [];
    const startedAt = performance.now();
    const done = batches.write(payload).then(() => times.push(performance.now() - startedAt));
    await jest.advanceTimersByTimeAsync(0);
    expect([events.at(-2), times]).toEqual([commitOf('200'), []]);
    await jest.advanceTimersByTimeAsync(200);
    await done;
    expect(times).toEqual([100]);

    await batches.write({
      ...payload,
      batch: { ...payload.batch, highWatermark: '201' },
    });
    const stopped = batches.write(payload);
    stopping.abort();
    await stopped;
  });

  it('hands the records on with their place, and without headers as with none', async () => {
    const { batches, payload, written } = setUp();
    delete payload.batch.messages[0]?.headers;

    await batches.write(payload);

    const [key, value] = ['key', 'value'].map((text) => Buffer.from(text));
    const place = { topic: 'topic', partition: 2, offset: '100', timestamp: '0' };
    expect(written).toEqual([{ ...place, key, value, headers: {} }]);
  });

  it.each([
    ['an outage', 'warn', unavailable],
    ['a bug', 'error', () => Promise.reject(new TypeError('bug'))],
    ['a set-up that rejects all', 'error', () => Promise.reject(new RejectedError('23502', 'tenant'))],
  ])(
    'through %s: commits nothing, retries with heartbeats and signs of life until it is written; all partitions wait',
    async (_what, level, outcome) => {
      const { batches, payload, writer, events, liveness, log } = setUp();
      writer.outcome = outcome;
      const done = batches.write(payload);

      await jest.advanceTimersByTimeAsync(60_000);
      const [tries, beats] = ['write', 'heartbeat'].map(
        (name) => events.filter((event) => event.startsWith(name)).length,
      );
      expect(tries).toBeGreaterThan(20);
      expect(beats).toBe((tries ?? 0) - 1);
      expect(events.filter(isCommit)).toEqual([]);
      expect(liveness.silenceMs).toBeLessThan(3100);
      expect([batches.isWaiting(2), batches.isWaiting(0)]).toEqual([true, true]);
      writer.outcome = () => Promise.resolve();
      await jest.advanceTimersByTimeAsync(3000);
      await done;

      expect(events.filter(isCommit)).toEqual(['resolve 100', commitOf('101')]);
      expect(log.lines[0]).toMatchObject({
        level,
        message: 'batch write failed, retrying',
        partition: 2,
        offset: '100',
        requestId: 'request-0',
      });
      expect([batches.isWaiting(2), batches.isWaiting(0)]).toEqual([false, false]);
    },
  );

  it.each([
    ['is no longer running', { isRunning: false }],
    ['has lost the partition', { isStale: true }],
  ])('writes nothing when the consumer %s', async (_what, state) => {
    const { batches, payload, kafka, events } = setUp();
    Object.assign(kafka, state);

    await batches.write(payload);

    expect(events).toEqual([]);
  });

  it.each<[string, (of: ReturnType<typeof setUp>) => unknown]>([
    ['the process stops', ({ stopping }) => stopping.abort()],
    ['the consumer ends', ({ kafka }) => (kafka.isRunning = false)],
  ])('ends in back-off, without a commit, when %s', async (_what, end) => {
    const all = setUp();
    all.writer.outcome = unavailable;
    const done = all.batches.write(all.payload);
    await jest.advanceTimersByTimeAsync(10_000);

    end(all);
    all.writer.outcome = () => Promise.resolve();
    await jest.advanceTimersByTimeAsync(3000);
    await done;

    expect(all.events.filter(isCommit)).toEqual([]);
  });

  it('commits what is written when the process stops meanwhile, but not when the consumer was given up', async () => {
    const [stopped, givenUp] = [setUp(), setUp()];
    stopped.writer.outcome = () => {
      stopped.stopping.abort();
      return Promise.resolve();
    };
    for (const { kafka, batches, payload } of [stopped, givenUp]) {
      const done = batches.write(payload);
      kafka.isRunning = false;
      await done;
    }

    expect(stopped.events.filter(isCommit)).toEqual(['resolve 100', commitOf('101')]);
    expect(givenUp.events.filter(isCommit)).toEqual([]);
  });

  it.each([
    ['in back-off', unavailable],
    ['in a slow write', () => new Promise<void>((resolve) => setTimeout(resolve, 5000))],
  ])('ends without a commit when a heartbeat %s says that the session is over', async (_when, outcome) => {
    const { batches, payload, writer, kafka, events } = setUp();
    writer.outcome = outcome;
    kafka.heartbeat = () => Promise.reject(new Error('REBALANCE_IN_PROGRESS'));

    const done = expect(batches.write(payload)).rejects.toThrow('REBALANCE_IN_PROGRESS');
    await jest.advanceTimersByTimeAsync(10_000);
    await done;

    expect(events.filter(isCommit)).toEqual([]);
    expect([batches.isWaiting(2), batches.isWaiting(0)]).toEqual([false, false]);
  });

  it('sends heartbeats during a slow write, but not for ever during one that hangs; only its partition waits', async () => {
    const { batches, payload, writer, events } = setUp();
    writer.outcome = never;
    void batches.write(payload);

    await jest.advanceTimersByTimeAsync(10_500);
    expect(events.filter((event) => event === 'heartbeat')).toHaveLength(10);
    await jest.advanceTimersByTimeAsync(300_000);

    expect(events.filter((event) => event === 'heartbeat')).toHaveLength(30);
    expect([batches.isWaiting(2), batches.isWaiting(0)]).toEqual([true, false]);
  });

  it.each([
    ['the commit', 'commitOffsetsIfNecessary'],
    ['the heartbeat after it', 'heartbeat'],
  ])('fails when the group rejects %s, so that the consumer rejoins', async (_what, method) => {
    const { batches, payload } = setUp();
    Object.assign(payload, { [method]: () => Promise.reject(new Error('ILLEGAL_GENERATION')) });

    await expect(batches.write(payload)).rejects.toThrow('ILLEGAL_GENERATION');
  });

  it('tells when the oldest record that is not written was sent, over all partitions', async () => {
    const { batches, payload, writer } = setUp();
    const [message] = messages(1);
    const other = { ...payload.batch, partition: 3, messages: [{ ...message, timestamp: '5000' }] };
    writer.outcome = () => new Promise((resolve) => setTimeout(resolve, 500));
    expect(batches.oldestInFlightAt).toBeUndefined();

    const done = Promise.all(
      [payload.batch, other].map((batch) => batches.write({ ...payload, batch } as EachBatchPayload)),
    );
    const during = batches.oldestInFlightAt;
    await jest.advanceTimersByTimeAsync(1000);
    await done;

    expect([during, batches.oldestInFlightAt]).toEqual([0, undefined]);
  });
});

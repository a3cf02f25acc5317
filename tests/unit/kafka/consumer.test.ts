import { EventEmitter } from 'node:events';
import { KafkaJSConnectionError, KafkaJSNonRetriableError, type ConsumerConfig, type Kafka } from 'kafkajs';
import { loadConfig } from '../../../src/config/config';
import { RegistrationConsumer } from '../../../src/kafka/consumer';
import type { WatchedConsumer } from '../../../src/kafka/stall-detector';
import { Liveness } from '../../../src/runtime/liveness';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingLogger } from '../../support/recording-logger';

const EVENTS = [
  'CONNECT',
  'COMMIT_OFFSETS',
  'GROUP_JOIN',
  'FETCH',
  'HEARTBEAT',
  'END_BATCH_PROCESS',
  'CRASH',
];

/** kafkajs' consumer as far as it is used here: it does what the test emits. */
class ScriptedConsumer extends EventEmitter {
  readonly events = Object.fromEntries(EVENTS.map((name) => [name, name]));
  isConnected = false;
  connect = (): Promise<void> => Promise.resolve(void (this.isConnected = true));
  disconnect = (): Promise<void> => Promise.resolve(void (this.isConnected = false));
  subscribe = (): Promise<void> => Promise.resolve();
  run = (): Promise<void> => Promise.resolve();

  constructor(readonly options: ConsumerConfig) {
    super();
  }
}

function setUp() {
  const consumers: ScriptedConsumer[] = [];
  const kafka = {
    consumer: (options: ConsumerConfig) => {
      consumers.push(new ScriptedConsumer(options));
      return consumers.at(-1);
    },
  } as unknown as Kafka;
  const watched: { consumer: WatchedConsumer; onStall: (reason: string) => void; life: AbortSignal }[] = [];
  const kafkaStatus = { wasReached: true, isUnavailable: false };
  const migrations = { wasAttempted: true };
  const liveness = new Liveness(true);
  const log = new RecordingLogger();
  const reset = jest.fn();
  const resets: object[] = [];
  const consumer = new RegistrationConsumer({
    kafka,
    config: loadConfig({ KAFKA_TOPIC: 'topic' }).kafka,
    kafkaStatus,
    migrations,
    liveness,
    metrics: new RecordingMetrics(),
    lag: { reportLost: () => Promise.resolve(), reportReset: (reset) => resets.push(reset) },
    log,
    stallDetector: {
      watch: (each, onStall, life) => {
        watched.push({ consumer: each, onStall, life });
        return Promise.resolve();
      },
    },
    writer: { write: () => Promise.resolve() },
    throttle: { shouldThrottle: () => false, runThrottled: (write) => write(), reset },
  });
  return { consumer, consumers, watched, kafkaStatus, migrations, liveness, log, reset, resets };
}

const later = (ms = 10_000): Promise<void> => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('RegistrationConsumer', () => {
  it('is rebuilt, with a warning, when it stalls; the one before has left first', async () => {
    const { consumer, consumers, watched, log } = setUp();
    consumer.start();
    await later();

    watched[0]?.onStall('no sign of life');
    await later();

    expect(consumers.map(({ isConnected }) => isConnected)).toEqual([false, true]);
    expect(watched.map(({ life }) => life.aborted)).toEqual([true, false]);
    expect(log.lines).toEqual([
      expect.objectContaining({ level: 'warn', message: 'consumer stopped, restarting' }),
    ]);
    await consumer.stop();
  });

  it('tells the stall detector which partitions it was assigned', async () => {
    const { consumer, consumers, watched } = setUp();
    consumer.start();
    await later();
    expect(watched[0]?.consumer.partitions).toEqual([]);

    consumers[0]?.emit('GROUP_JOIN', { payload: { memberAssignment: { topic: [1, 2] } } });

    expect(watched[0]?.consumer.partitions).toEqual([1, 2]);
    await consumer.stop();
  });

  it('resets the throttle at each change of partitions', async () => {
    const { consumer, consumers, reset } = setUp();
    consumer.start();
    await later();
    expect(reset).not.toHaveBeenCalled();

    consumers[0]?.emit('GROUP_JOIN', { payload: { memberAssignment: {} } });

    expect(reset).toHaveBeenCalledTimes(1);
    await consumer.stop();
  });

  it.each([
    ['FETCH', true],
    ['HEARTBEAT', true],
    ['END_BATCH_PROCESS', true],
    ['CONNECT', false],
    ['GROUP_JOIN', false],
  ])('after %s the process counts as alive: %s', async (event, isAlive) => {
    const { consumer, consumers, liveness } = setUp();
    consumer.start();
    await later(60_000);
    expect(liveness.isAlive).toBe(false);

    consumers[0]?.emit(event, { payload: { memberAssignment: {} } });

    expect(liveness.isAlive).toBe(isAlive);
    await consumer.stop();
  });

  it.each<[string, boolean, (setting: ReturnType<typeof setUp>) => void]>([
    ['stalls', false, ({ watched }) => watched.at(-1)?.onStall('no sign of life')],
    [
      'is rejected for good',
      false,
      ({ consumers }) =>
        consumers.at(-1)?.emit('CRASH', { payload: { error: new KafkaJSNonRetriableError('rejected') } }),
    ],
    [
      'joins the group and may not read the topic',
      false,
      ({ consumers }) => {
        consumers.at(-1)?.emit('GROUP_JOIN', { payload: { memberAssignment: { topic: [0] } } });
        consumers.at(-1)?.emit('CRASH', { payload: { error: new KafkaJSNonRetriableError('rejected') } });
      },
    ],
    [
      'loses the connection',
      true,
      ({ consumers }) => {
        // As kafkajs wraps it when its few retries are over.
        const cause = new KafkaJSConnectionError('lost');
        const error = Object.assign(new KafkaJSNonRetriableError('lost'), { cause });
        consumers.at(-1)?.emit('CRASH', { payload: { error } });
      },
    ],
    [
      'is rebuilt while Kafka is unavailable',
      true,
      ({ kafkaStatus, watched }) => {
        kafkaStatus.isUnavailable = true;
        watched.at(-1)?.onStall('no sign of life');
      },
    ],
  ])('when each consumer %s, the process counts as alive: %s', async (_how, isAlive, end) => {
    const setting = setUp();
    setting.consumer.start();

    for (let seconds = 0; seconds < 120; seconds += 10) {
      await later();
      end(setting);
    }

    expect(setting.consumers.length).toBeGreaterThan(10);
    expect(setting.liveness.isAlive).toBe(isAlive);
    await setting.consumer.stop();
  });

  it('is rebuilt later each time while it gets nothing done, and soon again once it has done a batch', async () => {
    const { consumer, consumers } = setUp();
    consumer.start();
    await later();
    /** How long it takes, in ms, until there is another one after this one crashed after `event`. */
    async function untilNext(event: string): Promise<number> {
      const before = consumers.length;
      consumers.at(-1)?.emit(event, { payload: { memberAssignment: { topic: [0] } } });
      consumers.at(-1)?.emit('CRASH', { payload: { error: new KafkaJSNonRetriableError('rejected') } });
      const startedAt = performance.now();
      while (consumers.length === before) await later(10);
      return performance.now() - startedAt;
    }

    for (let nth = 0; nth < 6; nth += 1) await untilNext('GROUP_JOIN');

    expect(await untilNext('FETCH')).toBeGreaterThanOrEqual(1500);
    expect(await untilNext('END_BATCH_PROCESS')).toBeLessThan(300);
    await consumer.stop();
  });

  it('knows why Kafka rejects it, as long as it does', async () => {
    const { consumer, consumers } = setUp();
    consumer.start();
    await later();
    const rejected = new KafkaJSNonRetriableError('rejected');
    const crash = (error: Error): unknown => consumers.at(-1)?.emit('CRASH', { payload: { error } });

    crash(new KafkaJSConnectionError('lost'));
    await later(500);
    const whileUnavailable = consumer.failure;
    crash(rejected);
    await later(5000);
    const whileRejected = consumer.failure;
    await later(5000);
    const afterwards = consumer.failure;
    crash(rejected);
    await later(4000);
    consumers.at(-1)?.emit('END_BATCH_PROCESS', {});

    expect([whileUnavailable, whileRejected, afterwards]).toEqual([undefined, rejected, undefined]);
    expect(consumer.failure).toBeUndefined();
    await consumer.stop();
  });

  it('takes a consumer that stalls for no fault of Kafka’s', async () => {
    const { consumer, watched } = setUp();
    consumer.start();
    await later();

    watched[0]?.onStall('no sign of life');
    await later(500);

    expect(consumer.failure).toBeUndefined();
    await consumer.stop();
  });

  it('reports the reset of an offset, and no other commit', async () => {
    const { consumer, consumers, resets } = setUp();
    consumer.start();
    await later();
    const reset = { partition: 1, wanted: 5n };

    consumers[0]?.emit('COMMIT_OFFSETS', { payload: { topics: [] } });
    consumers[0]?.emit('COMMIT_OFFSETS', { payload: { reset } });

    expect(resets).toEqual([reset]);
    await consumer.stop();
  });

  it('waits, alive, for the first contact with Kafka', async () => {
    const { consumer, consumers, kafkaStatus, liveness } = setUp();
    kafkaStatus.wasReached = false;
    consumer.start();
    await later(120_000);
    expect([consumers.length, liveness.isAlive]).toEqual([0, true]);

    kafkaStatus.wasReached = true;
    await later();

    expect(consumers).toHaveLength(1);
    await consumer.stop();
  });

  it('waits, alive, for the end of the first attempt at the migrations', async () => {
    const { consumer, consumers, migrations, liveness } = setUp();
    migrations.wasAttempted = false;
    consumer.start();
    await later(120_000);
    expect([consumers.length, liveness.isAlive]).toEqual([0, true]);

    migrations.wasAttempted = true;
    await later();

    expect(consumers).toHaveLength(1);
    await consumer.stop();
  });

  it('has left the group once it is stopped', async () => {
    const { consumer, consumers } = setUp();
    consumer.start();
    await later();
    const [only] = consumers;
    const leave = only?.disconnect;
    const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    Object.assign(only ?? {}, { disconnect: () => pass(100).then(leave) });

    const isConnected = consumer.stop().then(() => only?.isConnected);
    await later();

    expect(await isConnected).toBe(false);
  });

  it('stops at once while it waits to join the group', async () => {
    const { consumer, consumers } = setUp();
    consumer.start();
    Object.assign(consumers[0] ?? {}, { run: () => new Promise(() => undefined) });
    await later();

    const onStopped = jest.fn();
    void consumer.stop().then(onStopped);
    await later(100);

    expect(onStopped).toHaveBeenCalled();
  });

  it('lets no broker create the topic with settings of its own', async () => {
    const { consumer, consumers } = setUp();

    consumer.start();
    await consumer.stop();

    expect(consumers[0]?.options.allowAutoTopicCreation).toBe(false);
  });
});

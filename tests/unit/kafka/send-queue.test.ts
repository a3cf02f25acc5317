import { KafkaJSProtocolError, type Message } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { SendQueue } from '../../../src/kafka/send-queue';
import { sendQueueLimits, type SendQueueLimits } from '../../../src/kafka/send-queue-limits';
import type { RegistrationEvent } from '../../../src/services/ports/messaging';
import { buildEvent, buildRegistration } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { RecordingDeadLetters } from '../../support/fakes/kafka';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingLogger } from '../../support/recording-logger';

/** A producer whose every send waits to be confirmed or failed by the test. */
class ScriptedProducer {
  readonly sends: { topic: string; keys: unknown[]; confirm: () => void; fail: () => void }[] = [];
  /** What it says of a message's partition. */
  partitionOf: (topic: string, message: Message) => number | undefined = () => undefined;

  send(topic: string, messages: Message[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new UnavailableError('unavailable'));
      this.sends.push({ topic, keys: messages.map(({ key }) => key), confirm: resolve, fail });
    });
  }
}

const MESSAGE_TOO_LARGE = { type: 'MESSAGE_TOO_LARGE', code: 10, retriable: false, message: 'too large' };
const tooLarge = (): UnavailableError =>
  new UnavailableError('not confirmed', {
    cause: new KafkaJSProtocolError(Object.assign(new Error(), MESSAGE_TOO_LARGE)),
  });

function setUp(limits: Partial<SendQueueLimits> = {}) {
  const producer = new ScriptedProducer();
  const log = new RecordingLogger();
  const metrics = new RecordingMetrics();
  const deadLetters = new RecordingDeadLetters();
  const queue = new SendQueue({
    topic: 'registrations',
    producer,
    deadLetters,
    metrics,
    log,
    limits: { maxRecords: 10, maxBytes: 10_000, batchRecords: 5, batchBytes: 5000, ...limits },
  });
  const publish = (event: RegistrationEvent = buildEvent()): Promise<void> =>
    queue.acquire().publish(event, 'req-1');
  const nthSend = (n: number) =>
    eventually(() => {
      const send = producer.sends[n - 1];
      if (send === undefined) throw new Error(`no send ${n} yet`);
      return send;
    });
  return { producer, deadLetters, log, metrics, queue, publish, nthSend };
}

const keyOf = (event: RegistrationEvent): string => event.registration.email;

describe('SendQueue', () => {
  it('sends the events of one turn in one batch and resolves when Kafka confirms', async () => {
    const { publish, nthSend } = setUp();
    const events = [buildEvent(), buildEvent(), buildEvent()];
    const confirmed = Promise.all(events.map((event) => publish(event)));

    const send = await nthSend(1);
    send.confirm();
    await confirmed;

    expect(send).toMatchObject({ topic: 'registrations', keys: events.map(keyOf) });
  });

  it('measures each send, and how long the oldest record has waited', async () => {
    const { queue, publish, nthSend, metrics } = setUp();
    expect([queue.depth, queue.oldestAgeMs]).toEqual([0, 0]);
    const confirmed = publish();

    (await nthSend(1)).fail();
    const repeated = await nthSend(2);
    expect(queue.depth).toBe(1);
    // At least the back-off between the two.
    expect(queue.oldestAgeMs).toBeGreaterThan(20);
    repeated.confirm();
    await confirmed;

    expect(metrics.sends.map(({ isConfirmed }) => isConfirmed)).toEqual([false, true]);
    expect(queue.depth).toBe(0);
  });

  it('keeps one send in flight; what comes meanwhile leaves together afterwards', async () => {
    const { publish, nthSend, producer } = setUp();
    const first = publish();
    const inFlight = await nthSend(1);
    const later = [publish(), publish()];
    expect(producer.sends).toHaveLength(1);

    inFlight.confirm();
    await first;
    const second = await nthSend(2);
    second.confirm();
    await Promise.all(later);

    expect(second.keys).toHaveLength(2);
  });

  it('sends a failed batch again, in the same order and in ever smaller parts, until it is confirmed', async () => {
    const { publish, nthSend, log } = setUp();
    const events = [1, 2, 3, 4, 5].map(() => buildEvent());
    const confirmed = Promise.all(events.map((event) => publish(event)));

    (await nthSend(1)).fail();
    (await nthSend(2)).fail();
    (await nthSend(3)).fail();
    const later = [];
    for (let nth = 4; nth <= 6; nth += 1) {
      later.push(await nthSend(nth));
      later.at(-1)?.confirm();
    }
    await confirmed;

    const [first, ...others] = events.map(keyOf);
    expect([(await nthSend(2)).keys.length, (await nthSend(3)).keys.length]).toEqual([2, 1]);
    expect(later.map(({ keys }) => keys)).toEqual([[first], others.slice(0, 2), others.slice(2)]);
    // The health check's line says the rest.
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'debug', 'debug']);
  });

  it('confirms the records of other partitions while one takes none, and knows why', async () => {
    const { publish, producer, queue, metrics } = setUp({ maxRecords: 100, batchRecords: 100 });
    const [bad, good] = [buildEvent(), buildEvent()];
    producer.partitionOf = (_topic, { key }) => (key === keyOf(bad) ? 0 : 1);
    let isLed = false;
    producer.send = (_topic, messages) =>
      isLed || messages.every(({ key }) => key !== keyOf(bad)) ? Promise.resolve() : Promise.reject(tooOld);
    const tooOld = new UnavailableError('no leader');
    const unconfirmed = publish(bad);

    for (let nth = 0; nth < 50; nth += 1) await publish(nth === 0 ? good : buildEvent());

    expect(queue.depth).toBe(1);
    await eventually(() => expect(queue.failure).toBe(tooOld));
    isLed = true;
    await unconfirmed;
    expect([queue.depth, queue.failure]).toEqual([0, undefined]);
    expect(metrics.sends.at(-1)).toMatchObject({ isConfirmed: true });
  });

  it('halves at once what Kafka calls too large, and sends more again when that is confirmed', async () => {
    const { publish, producer } = setUp({
      maxRecords: 100,
      maxBytes: 1_000_000,
      batchRecords: 64,
      batchBytes: 1_000_000,
    });
    const sizes: number[] = [];
    producer.send = (_topic, messages) => {
      sizes.push(messages.length);
      return messages.length > 10 ? Promise.reject(tooLarge()) : Promise.resolve();
    };

    await Promise.all(Array.from({ length: 64 }, () => publish()));

    expect(sizes.slice(0, 4)).toEqual([64, 32, 16, 8]);
    expect(sizes.slice(4)).toContain(16);
    expect(sizes.filter((size) => size <= 10).reduce((sum, size) => sum + size)).toBe(64);
  });

  it('makes a dead letter of a record that alone is too large; the others are sent', async () => {
    const { publish, producer, deadLetters, queue } = setUp();
    const [large, small] = [buildEvent(), buildEvent()];
    producer.send = (_topic, messages) =>
      messages.some(({ key }) => key === keyOf(large)) ? Promise.reject(tooLarge()) : Promise.resolve();

    const [first, second] = await Promise.allSettled([publish(large), publish(small)]);

    expect(first).toMatchObject({ status: 'rejected', reason: expect.any(UnavailableError) as Error });
    expect(second.status).toBe('fulfilled');
    const { eventId, registration } = large;
    expect(deadLetters.published).toEqual([
      {
        reason: 'unstorable',
        error: 'the record is larger than the topic allows',
        record: {
          ...{ topic: 'registrations', partition: -1, offset: '-1' },
          key: Buffer.from(registration.email),
          value: Buffer.from(JSON.stringify(registration)),
          headers: expect.objectContaining({ 'event-id': eventId }) as object,
        },
      },
    ]);
    expect(queue.depth).toBe(0);
  });

  it('keeps a record that is too large until its dead letter is confirmed', async () => {
    const { publish, producer, deadLetters, queue } = setUp();
    producer.send = () => Promise.reject(tooLarge());
    deadLetters.isUnavailable = true;
    const published = publish().catch((error: unknown) => error);
    await eventually(() => expect(queue.failure).toBeInstanceOf(UnavailableError));

    deadLetters.isUnavailable = false;

    expect(await published).toBeInstanceOf(UnavailableError);
    expect(deadLetters.published).toHaveLength(1);
  });

  it('bounds a batch by records and by bytes', async () => {
    const byRecords = setUp({ batchRecords: 2 });
    const all = Promise.all([1, 2, 3].map(() => byRecords.publish()));
    const byBytes = setUp({ batchBytes: 600 });
    const big = buildRegistration({ occupation: 'x'.repeat(250) });
    const bigOnes = Promise.all([1, 2].map(() => byBytes.publish(buildEvent({ registration: big }))));

    const firsts = [await byRecords.nthSend(1), await byBytes.nthSend(1)];
    firsts.forEach((send) => send.confirm());
    const seconds = [await byRecords.nthSend(2), await byBytes.nthSend(2)];
    seconds.forEach((send) => send.confirm());
    await Promise.all([all, bigOnes]);

    expect(firsts.map(({ keys }) => keys.length)).toEqual([2, 1]);
    expect(seconds.map(({ keys }) => keys.length)).toEqual([1, 1]);
  });

  it('is full at its limit of records, permits included, until permits are released', () => {
    const { queue, publish } = setUp({ maxRecords: 3 });
    void publish();
    const [one, two] = [queue.acquire(), queue.acquire()];
    expect(() => queue.acquire()).toThrow(UnavailableError);

    one.release();
    one.release();
    two.release();

    queue.acquire();
    queue.acquire();
    expect(() => queue.acquire()).toThrow(UnavailableError);
  });

  it.each([
    [64, 100],
    [144, 1365],
    [300, 5802],
    [448, 10_000],
  ])('holds in a heap of %i MB at most %i records', (megabytes, records) => {
    expect(sendQueueLimits(megabytes * 1024 * 1024).maxRecords).toBe(records);
  });

  it('is full at its limit of bytes until Kafka confirms', async () => {
    const { queue, publish, nthSend } = setUp({ maxBytes: 100 });
    const confirmed = publish();
    expect(() => queue.acquire()).toThrow('the send queue is full');

    (await nthSend(1)).confirm();
    await confirmed;

    expect(() => queue.acquire()).not.toThrow();
  });

  it('stops by flushing, and accepts nothing new', async () => {
    const { queue, publish, nthSend } = setUp();
    const confirmed = publish();
    const stopped = queue.stop();
    expect(() => queue.acquire()).toThrow('the process is stopping');

    (await nthSend(1)).confirm();

    await Promise.all([confirmed, stopped]);
  });

  it('stops at once when it is empty', async () => {
    await setUp().queue.stop();
  });

  describe('when Kafka stays unavailable', () => {
    beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate'] }));
    afterEach(() => jest.useRealTimers());

    it('gives up at its stop timeout and says how many records it lost', async () => {
      const { queue, publish, producer } = setUp();
      producer.send = () => Promise.reject(new UnavailableError('unavailable'));
      void publish();

      const stopped = expect(queue.stop()).rejects.toThrow('1 unconfirmed records were given up');
      await new Promise<void>((resolve) => setImmediate(resolve));
      await jest.advanceTimersByTimeAsync(queue.stopTimeoutMs);

      await stopped;
    });
  });
});

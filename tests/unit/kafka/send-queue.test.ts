import type { Message } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { SendQueue, type SendQueueLimits } from '../../../src/kafka/send-queue';
import type { RegistrationEvent } from '../../../src/services/ports/messaging';
import { buildEvent, buildRegistration } from '../../support/builders';
import { eventually } from '../../support/eventually';
import { RecordingMetrics } from '../../support/fakes';
import { RecordingLogger } from '../../support/recording-logger';

/** A producer whose every send waits to be confirmed or failed by the test. */
class ScriptedProducer {
  readonly sends: { topic: string; keys: unknown[]; confirm: () => void; fail: () => void }[] = [];

  send(topic: string, messages: Message[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new UnavailableError('unavailable'));
      this.sends.push({ topic, keys: messages.map(({ key }) => key), confirm: resolve, fail });
    });
  }
}

function setUp(limits: Partial<SendQueueLimits> = {}) {
  const producer = new ScriptedProducer();
  const log = new RecordingLogger();
  const metrics = new RecordingMetrics();
  const queue = new SendQueue({
    topic: 'registrations',
    producer,
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
  return { producer, log, metrics, queue, publish, nthSend };
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
    const confirmed = Promise.all([publish(), publish()]);

    (await nthSend(1)).fail();
    const repeated = await nthSend(2);
    expect(queue.depth).toBe(2);
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

  it('sends a failed batch again, in the same order, until it is confirmed', async () => {
    const { publish, nthSend, log } = setUp();
    const events = [buildEvent(), buildEvent()];
    const confirmed = Promise.all(events.map((event) => publish(event)));

    (await nthSend(1)).fail();
    (await nthSend(2)).fail();
    const third = await nthSend(3);
    third.confirm();
    await confirmed;

    expect(third.keys).toEqual(events.map(keyOf));
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
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

import type { Message } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { KafkaUserEvents } from '../../../src/kafka/user-events';
import { buildRegistration, buildUser } from '../../support/builders';
import { RecordingMetrics } from '../../support/fakes/metrics';

function setUp() {
  const sends: Message[][] = [];
  const metrics = new RecordingMetrics();
  const producer = {
    send: (_topic: string, messages: Message[]): Promise<void> => {
      sends.push(messages);
      return Promise.resolve();
    },
  };
  return { sends, metrics, producer, events: new KafkaUserEvents({ producer, topic: 'users', metrics }) };
}

describe('KafkaUserEvents', () => {
  const user = buildUser(buildRegistration(), 17);

  it('publishes a registered user as a CloudEvent in binary mode, with the row and the trace', async () => {
    const { events, sends, metrics } = setUp();

    await events.registered([{ user, traceparent: '00-1-2-01' }], performance.now());

    expect(sends).toEqual([
      [
        {
          key: '17',
          value: JSON.stringify(user),
          headers: {
            ce_specversion: '1.0',
            ce_id: 'user-17-registered',
            ce_type: 'user.registered.v1',
            ce_source: '/user-registration-backend',
            ce_subject: '17',
            ce_time: user.created_at,
            'content-type': 'application/json',
            traceparent: '00-1-2-01',
          },
        },
      ],
    ]);
    expect(metrics.events).toEqual({ registered: 1, erased: 0 });
  });

  it('publishes an erased one as null', async () => {
    const { events, sends, metrics } = setUp();

    await events.erased([{ id: 17, erasedAtMs: 0 }]);

    expect(sends.flat()).toEqual([
      {
        key: '17',
        value: null,
        headers: {
          ce_specversion: '1.0',
          ce_id: 'user-17-erased',
          ce_type: 'user.erased.v1',
          ce_source: '/user-registration-backend',
          ce_subject: '17',
          ce_time: '1970-01-01T00:00:00.000Z',
        },
      },
    ]);
    expect(metrics.events).toEqual({ registered: 0, erased: 1 });
  });

  it.each([
    ['infinity', undefined],
    ['+010000-01-01T00:00:00.000Z', undefined],
    ['-000043-03-15T00:00:00.000Z', undefined],
    ['0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('of a row from %s says the time %s', async (createdAt, time) => {
    const { events, sends } = setUp();

    await events.registered([{ user: { ...user, created_at: createdAt } }], performance.now());

    expect(sends.flat()[0]?.headers?.['ce_time']).toBe(time);
  });

  it('cuts what is too much for one send', async () => {
    const { events, sends } = setUp();
    const large = buildUser(buildRegistration({ occupation: 'x'.repeat(200_000) }));

    await events.registered(
      [1, 2, 3].map(() => ({ user: large })),
      performance.now(),
    );

    expect(sends.map((messages) => messages.length)).toEqual([2, 1]);
  });

  it('sends no row that was read more than 10 s ago, the rest of a slow batch included', async () => {
    const { events, sends, metrics, producer } = setUp();
    const { send } = producer;
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1000);
    producer.send = (topic, messages) => {
      clock.mockReturnValue(11_001);
      return send(topic, messages);
    };
    const large = { user: buildUser(buildRegistration({ occupation: 'x'.repeat(600_000) })) };

    const publishing = events.registered([large, large], 1000);

    await expect(publishing).rejects.toThrow(UnavailableError);
    clock.mockRestore();
    expect(sends).toHaveLength(1);
    expect(metrics.events.registered).toBe(1);
  });
});

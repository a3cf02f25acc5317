import type { Message } from 'kafkajs';
import { RegistrationPublisher } from '../../../src/tools/registration-publisher';
import { toMessage } from '../../../src/kafka/registration-message';
import { buildEvent, buildRecord } from '../../support/builders';

function setUp() {
  const sent: Message[][] = [];
  const send = (_topic: string, messages: Message[]): Promise<void> => {
    sent.push(messages);
    return Promise.resolve();
  };
  return { sent, publisher: new RegistrationPublisher({ topic: 'users', producer: { send } }) };
}

describe('RegistrationPublisher', () => {
  it('sends records with key, value and headers as they are', async () => {
    const { sent, publisher } = setUp();
    const { key, value, headers } = buildRecord();

    await publisher.republish([{ key, value, headers }]);

    expect(sent).toEqual([[{ key, value, headers }]]);
  });

  it('publishes events as the API does', async () => {
    const { sent, publisher } = setUp();
    const event = buildEvent();

    await publisher.publish([event], 'reconcile');

    expect(sent).toEqual([[toMessage(event, 'reconcile')]]);
  });

  it('splits what is too large for one send', async () => {
    const { sent, publisher } = setUp();
    const large = { key: null, value: Buffer.alloc(300_000), headers: {} };
    const empty = { key: null, value: null, headers: {} };

    await publisher.republish([large, empty, large, large]);
    await publisher.republish([]);

    expect(sent.map((messages) => messages.length)).toEqual([2, 1, 1]);
  });
});

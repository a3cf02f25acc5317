import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Admin, Kafka } from 'kafkajs';
import { loadConfig } from '../../../src/config/config';
import { UnsuitableServerError } from '../../../src/domain/errors';
import { createKafka, withAdmin } from '../../../src/kafka/client';
import { RecordingLogger } from '../../support/recording-logger';

const kafkaWith = (disconnect: () => Promise<void>): Kafka =>
  ({ admin: () => ({ connect: () => Promise.resolve(), disconnect }) as Admin }) as unknown as Kafka;

describe('withAdmin', () => {
  it.each<[string, () => Promise<void>]>([
    ['never ends', () => new Promise(() => undefined)],
    ['fails', () => Promise.reject(new Error('lost'))],
  ])('resolves to the result although the disconnect %s', async (_how, disconnect) => {
    jest.useFakeTimers();

    const result = withAdmin(kafkaWith(disconnect), () => Promise.resolve('result'));
    await jest.advanceTimersByTimeAsync(5000);

    jest.useRealTimers();
    expect(await result).toBe('result');
  });
});

describe('a broker', () => {
  /** Says that it knows the requests up to this one, and answers nothing else. */
  const connectTo = async (lastApiKey: number): Promise<string> => {
    const server = createServer((socket) => {
      socket.once('data', (request) => {
        const keys = Array.from({ length: lastApiKey + 1 }, (_, key) => [0, key, 0, 0, 0, 2]).flat();
        const answer = Buffer.from([0, 0, 0, 0, 0, lastApiKey + 1, ...keys, 0, 0, 0, 0]);
        const head = Buffer.alloc(8);
        head.writeInt32BE(answer.length + 4);
        request.copy(head, 4, 8, 12); // The correlation id.
        socket.write(Buffer.concat([head, answer]));
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const brokers = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const kafka = createKafka(loadConfig({ KAFKA_BROKERS: brokers }).kafka, new RecordingLogger());
    try {
      return await withAdmin(kafka, () => Promise.resolve('connected'));
    } finally {
      server.close();
    }
  };

  it('is worked with from Kafka 3 on, which has the request 65', async () => {
    expect(await connectTo(65)).toBe('connected');
  });

  it('of Kafka 2 is refused with a hint', async () => {
    const refusal = connectTo(64);

    await expect(refusal).rejects.toThrow(UnsuitableServerError);
    await expect(refusal).rejects.toThrow('Kafka must be version 3.9 or newer');
  });
});

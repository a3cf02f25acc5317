import type { Admin, Kafka } from 'kafkajs';
import { withAdmin } from '../../../src/kafka/client';

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

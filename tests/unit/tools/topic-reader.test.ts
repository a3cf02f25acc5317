import type { EachBatchPayload, Kafka } from 'kafkajs';
import { UnavailableError } from '../../../src/domain/errors';
import { RangeRead, readTopic, type OffsetRange } from '../../../src/tools/topic-reader';

function setUp(ranges: readonly OffsetRange[], fail = false) {
  const visits: string[] = [];
  const read = new RangeRead(ranges, (partition, messages, { done, total }) => {
    visits.push(`${partition}:${messages.map(({ offset }) => offset).join()} ${done}/${total}`);
    return fail ? Promise.reject(new Error('visitor')) : Promise.resolve();
  });
  const state = { isEnded: false };
  void read.finished.then(
    () => (state.isEnded = true),
    () => undefined,
  );
  const deliver = (partition: number, ...offsets: number[]): Promise<void> =>
    read.visit({
      batch: { partition, messages: offsets.map((offset) => ({ offset: String(offset) })) },
      heartbeat: () => Promise.resolve(),
    } as unknown as EachBatchPayload);
  return { read, visits, state, deliver };
}

const twoPartitions = [
  { partition: 0, from: 2n, to: 5n },
  { partition: 1, from: 0n, to: 1n },
];

describe('RangeRead', () => {
  it('visits each record of the ranges once, whatever comes again or later, and ends', async () => {
    const { visits, state, deliver } = setUp(twoPartitions);

    await deliver(0, 0, 1, 2, 3);
    await deliver(0, 2, 3, 4, 5, 6);
    await deliver(0, 7);
    expect(state.isEnded).toBe(false);
    await deliver(1, 0);
    await deliver(1, 1);

    expect(visits).toEqual(['0:2,3 2/4', '0:4 3/4', '1:0 4/4']);
    expect(state.isEnded).toBe(true);
  });

  it('visits a large batch in parts', async () => {
    const { visits, deliver } = setUp([{ partition: 0, from: 0n, to: 450n }]);

    await deliver(0, ...Array.from({ length: 450 }, (_, offset) => offset));

    expect(visits.map((visit) => visit.split(' ')[1])).toEqual(['200/450', '400/450', '450/450']);
  });

  it('ends at offsets that are no records', async () => {
    const { read, state, deliver } = setUp([{ partition: 0, from: 0n, to: 4n }]);

    await deliver(0, 0);
    read.advance(0, 3n);
    read.advance(0, 1n);
    await Promise.resolve();
    expect(state.isEnded).toBe(false);
    read.advance(0, 4n);

    await read.finished;
  });

  it('fails with the visitor, and visits nothing more', async () => {
    const { read, visits, deliver } = setUp(twoPartitions, true);

    await deliver(0, 2);
    await deliver(0, 2, 3);

    await expect(read.finished).rejects.toThrow('visitor');
    expect(visits).toHaveLength(1);
  });

  it('fails when nothing happens for too long', async () => {
    const { read, deliver } = setUp(twoPartitions);
    await deliver(0, 2);

    read.failIfIdle(10_000);
    read.failIfIdle(-1);

    await expect(read.finished).rejects.toThrow(UnavailableError);
    await expect(read.finished).rejects.toThrow('3 offsets not read');
  });

  it('does not count a visitor’s work as silence', async () => {
    let finish: () => void = () => undefined;
    const read = new RangeRead(twoPartitions, () => new Promise((resolve) => (finish = resolve)));
    const visit = read.visit({
      batch: { partition: 1, messages: [{ offset: '0' }] },
      heartbeat: () => Promise.resolve(),
    } as unknown as EachBatchPayload);

    read.failIfIdle(-1);
    finish();
    await visit;
    read.advance(0, 5n);

    await read.finished;
  });
});

describe('readTopic', () => {
  it('gives up within 13 s when Kafka falls silent, also while it is left', async () => {
    jest.useFakeTimers();
    const never = (): Promise<never> => new Promise(() => undefined);
    const consumer = { on: () => undefined, events: {}, connect: never, disconnect: never };
    const kafka = { consumer: () => consumer } as unknown as Kafka;

    const source = { kafka, topic: 'topic', groupPrefix: 'dlq' };
    const read = readTopic(source, twoPartitions, () => undefined).catch((error: unknown) => error);
    const outcome = Promise.race([read, jest.advanceTimersByTimeAsync(13_000)]);

    expect(await outcome).toBeInstanceOf(UnavailableError);
    jest.useRealTimers();
  });
});

import fc from 'fast-check';
import '../../../src/kafka/kafkajs';
import { encodeRecord, type KafkajsRecord } from '../../../src/kafka/kafkajs-patches';

const ENCODER = 'kafkajs/src/protocol/recordBatch/record/v0';
const Decoder = jest.requireActual<new (bytes: Buffer) => { readVarInt(): number }>(
  'kafkajs/src/protocol/decoder',
);
const decode = jest.requireActual<(decoder: object, batch: object) => { headers: unknown }>(
  `${ENCODER}/decoder`,
);
type Encode = (record: KafkajsRecord) => { readonly buffer: Buffer };

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constant(''));
const bytes = fc.oneof(
  text,
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
);
const delta = fc.oneof(fc.integer({ min: -3, max: 1000 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 }));
const records: fc.Arbitrary<KafkajsRecord> = fc.record(
  {
    offsetDelta: fc.nat({ max: 100_000 }),
    timestampDelta: delta,
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.dictionary(text, fc.oneof(bytes, fc.array(bytes, { maxLength: 3 }))),
  },
  { requiredKeys: ['value'] },
);

function freshKafkajs(): Encode {
  let encode: Encode | undefined;
  jest.isolateModules(() => (encode = jest.requireActual<Encode>(ENCODER)));
  if (encode === undefined || encode === encodeRecord) throw new Error('kafkajs itself is not there');
  return encode;
}

describe('encodeRecord', () => {
  it('encodes every record as kafkajs does', () => {
    const encodeByKafkajs = freshKafkajs();

    fc.assert(
      fc.property(records, (record) => {
        expect(encodeRecord(record).buffer.equals(encodeByKafkajs(record).buffer)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('encodes headers without a value as well, which kafkajs reads but cannot write', () => {
    const { buffer } = encodeRecord({
      key: 'a',
      value: null,
      headers: { none: null, missing: undefined, some: ['x', null, Buffer.from('y')], after: 'z' },
    });

    const decoder = new Decoder(buffer);
    decoder.readVarInt(); // The record's length.
    const { headers } = decode(decoder, { firstOffset: '0', firstTimestamp: '0' });

    expect(headers).toEqual({
      none: null,
      missing: null,
      some: [Buffer.from('x'), null, Buffer.from('y')],
      after: Buffer.from('z'),
    });
  });

  it('stands in the place of kafkajs’ own', () => {
    expect(jest.requireActual(ENCODER)).toBe(encodeRecord);
  });
});

interface Metadata {
  readonly topicMetadata: readonly object[];
}
const requests = jest.requireActual<{
  requests: {
    Metadata: {
      protocol(options: { version: number }): (args: {
        topics: string[];
        allowAutoTopicCreation: boolean;
      }) => {
        request: { encode(): Promise<{ buffer: Buffer }> };
        response: { parse(metadata: Metadata): Promise<Metadata> };
      };
    };
  };
}>('kafkajs/src/protocol/requests').requests;
const Cluster = jest.requireActual<{ prototype: object }>('kafkajs/src/cluster');

describe('metadata', () => {
  const of = (topics: string[]) =>
    requests.Metadata.protocol({ version: 6 })({ topics, allowAutoTopicCreation: false });
  const topic = {
    topicErrorCode: 0,
    topic: 'users',
    partitionMetadata: [{ partitionErrorCode: 5, leader: -1 }],
  };

  it('is asked for of no topic where kafkajs would ask for all, else as by kafkajs', async () => {
    const [none, one] = await Promise.all([of([]).request.encode(), of(['users']).request.encode()]);

    expect(none.buffer).toEqual(Buffer.from([0, 0, 0, 0, 0]));
    expect(one.buffer).toEqual(
      Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 5]), Buffer.from('users'), Buffer.of(0)]),
    );
  });

  it('of a partition without a leader says so, and does not fail', async () => {
    const { topicMetadata } = await of(['users']).response.parse({ topicMetadata: [topic] });

    expect(topicMetadata).toEqual([{ ...topic, partitionMetadata: [{ partitionErrorCode: 0, leader: -1 }] }]);
  });

  it('of a topic that is missing fails', async () => {
    const missing = { ...topic, topicErrorCode: 3 };

    await expect(of(['users']).response.parse({ topicMetadata: [missing] })).rejects.toThrow(/does not host/);
  });
});

describe('offsets', () => {
  it('are asked for of partitions with a leader only', async () => {
    const asked: number[] = [];
    const broker = {
      listOffsets: ({ topics }: { topics: { topic: string; partitions: { partition: number }[] }[] }) => {
        asked.push(...topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition)));
        return Promise.resolve({
          responses: topics.map((each) => ({
            ...each,
            partitions: each.partitions.map(({ partition }) => ({ partition, offset: '7' })),
          })),
        });
      },
    };
    const leaders = [
      { partitionId: 0, leader: 1 },
      { partitionId: 1, leader: -1 },
    ];
    const cluster = Object.assign(Object.create(Cluster.prototype) as Record<string, unknown>, {
      brokerPool: { metadata: { topicMetadata: [{ topic: 'users', partitionMetadata: leaders }] } },
      findBroker: () => Promise.resolve(broker),
    }) as unknown as { fetchTopicsOffset(topics: object[]): Promise<object[]> };
    const request = (...ids: number[]) => [
      { topic: 'users', partitions: ids.map((partition) => ({ partition })) },
    ];

    const both = await cluster.fetchTopicsOffset(request(0, 1));
    const none = await cluster.fetchTopicsOffset(request(1));

    expect(both).toEqual([{ topic: 'users', partitions: [{ partition: 0, offset: '7' }] }]);
    expect(none).toEqual([{ topic: 'users', partitions: [] }]);
    expect(asked).toEqual([0]);
  });
});

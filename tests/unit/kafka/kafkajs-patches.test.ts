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

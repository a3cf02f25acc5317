import '../../../src/kafka/codecs';
import { CompressionCodecs, CompressionTypes, KafkaJSNonRetriableError } from '../../../src/kafka/kafkajs';

type Codec = { decompress(data: Buffer): Promise<Buffer> };
const { GZIP, Snappy, LZ4, ZSTD } = CompressionTypes;

/** The same text, as each codec's own program or Kafka's Java client writes it. */
const COMPRESSED: [string, keyof typeof CompressionCodecs, string][] = [
  ['gzip', GZIP, 'H4sIAAAAAAAAA0tUKEpNzi9K0VFIxGABAOhugb0cAAAA'],
  ['snappy as other clients write it', Snappy, 'HCRhIHJlY29yZCwgRgoA'],
  [
    'snappy as Java writes it, in blocks',
    Snappy,
    'glNOQVBQWQAAAAABAAAAAQAAABAONGEgcmVjb3JkLCBhIHJlAAAAEA40Y29yZCwgYSByZWNvcmQ=',
  ],
  ['lz4', LZ4, 'BCJNGGBAghMAAACpYSByZWNvcmQsIAoAUGVjb3JkAAAAAA=='],
  ['zstd', ZSTD, 'KLUv/QRYhQAAUGEgcmVjb3JkLCABAPUKEmcheIc='],
];

describe.each(COMPRESSED)('the codec of %s', (_name, type, base64) => {
  const codec = CompressionCodecs[type]() as Codec;
  const data = Buffer.from(base64, 'base64');

  it('decodes it', async () => {
    expect(String(await codec.decompress(data))).toBe('a record, a record, a record');
  });

  it('ends damaged data with an error after which kafkajs does not try again', async () => {
    const damaged = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]), data]);

    const decoding = codec.decompress(damaged);

    await expect(decoding).rejects.toThrow(KafkaJSNonRetriableError);
    await expect(decoding).rejects.toThrow('a batch of records cannot be decoded');
  });
});

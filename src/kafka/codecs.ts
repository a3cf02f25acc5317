import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { decompress as decodeZstd } from 'fzstd';
import createSnappyCodec from 'kafkajs-snappy';
import { decompress as decodeLz4 } from 'lz4js';
import { CompressionCodecs, CompressionTypes, KafkaJSNonRetriableError } from './kafkajs';

/*
 * All of Kafka's codecs, installed by importing this file; kafkajs has gzip alone. The service compresses nothing, but
 * brokers do where their own or the topic's compression.type says so, and so may other programs.
 */
const gzip = CompressionCodecs[CompressionTypes.GZIP]() as object;
const snappy = createSnappyCodec();
CompressionCodecs[CompressionTypes.GZIP] = codec(promisify(unzip), gzip);
CompressionCodecs[CompressionTypes.Snappy] = codec((data) => snappy.decompress(data), snappy);
CompressionCodecs[CompressionTypes.LZ4] = codec(decodeLz4);
CompressionCodecs[CompressionTypes.ZSTD] = codec(decodeZstd);

function codec(decode: (data: Buffer) => Uint8Array | Promise<Uint8Array>, encoder?: object): () => object {
  const decompress = async (data: Buffer): Promise<Buffer> => {
    try {
      return Buffer.from(await decode(data));
    } catch (cause) {
      // Not retriable: kafkajs would fetch the same again several times before it says so.
      throw Object.assign(new KafkaJSNonRetriableError('a batch of records cannot be decoded'), { cause });
    }
  };
  return () => ({ ...encoder, decompress });
}

import Cluster from 'kafkajs/src/cluster';
import OffsetManager from 'kafkajs/src/consumer/offsetManager';
import RequestQueue from 'kafkajs/src/network/requestQueue';
import encodeByKafkajs from 'kafkajs/src/protocol/recordBatch/record/v0';
import metadata from 'kafkajs/src/protocol/requests/metadata';

/*
 * Work-arounds for kafkajs 2.2.4, to which package.json pins it: go through them when a new version comes. Importing this
 * file installs all but NO_RETRY. One more is KafkaProducer's, which is not idempotent.
 */

/*
 * Every connection re-arms a timer for ever: with nothing pending and no throttling its delay is negative, which Node
 * turns into 1 ms (4 % of an idle core, and a warning on newer Node). The timer only serves pending requests, so it is
 * armed only when there are some. https://github.com/tulios/kafkajs/issues/1751, also #1704 and #1556; fix in PR #1768
 */
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length > 0) schedule.call(this);
};

// Only works before kafkajs itself is loaded, hence kafkajs.ts.
const recordModule = require.cache[require.resolve('kafkajs/src/protocol/recordBatch/record/v0')];
if (recordModule) recordModule.exports = encodeRecord;

/**
 * For the producer. When kafkajs repeats a send whose partition has moved to a broker that already confirmed others, it
 * leaves that partition out and reports success: an acknowledged record would be lost. The send queue repeats whole
 * sends instead. https://github.com/tulios/kafkajs/pull/1798
 */
export const NO_RETRY = { retries: 0 };

/*
 * A client that has no topic yet asks for the metadata of all: megabytes on a large cluster. And one partition without a
 * leader, of whatever topic, fails the whole request. Here such a client asks for none, and such a partition has the
 * leader -1, as for Kafka's own clients. https://github.com/tulios/kafkajs/issues/1520, also #1769
 */
const NO_TOPIC = Buffer.from([0, 0, 0, 0, 0]); // An empty list; the last byte: nor create any.
const { protocol } = metadata;
metadata.protocol = (options) => (args) => {
  const { request, response } = protocol(options)(args);
  const encode = (): object => Promise.resolve({ buf: NO_TOPIC, buffer: NO_TOPIC });
  const withoutError = (partition: object): object => ({ ...partition, partitionErrorCode: 0 });
  const parse: typeof response.parse = (data) => {
    const topicMetadata = data.topicMetadata.map(({ partitionMetadata, ...topic }) => {
      return { ...topic, partitionMetadata: partitionMetadata.map(withoutError) };
    });
    return response.parse({ ...data, topicMetadata });
  };
  return {
    request: args.topics.length > 0 ? request : { ...request, encode },
    response: { ...response, parse },
  };
};

// Only a leader knows a partition's offsets: those of the others are all that can be asked for.
const { fetchTopicsOffset } = Cluster.prototype;
Cluster.prototype.fetchTopicsOffset = async function (this: Cluster, topics) {
  const led = topics.map(({ partitions, ...others }) => {
    const unled = this.findTopicPartitionMetadata(others.topic).filter(({ leader }) => leader < 0);
    const ids = unled.map(({ partitionId }) => partitionId);
    return { ...others, partitions: partitions.filter(({ partition }) => !ids.includes(partition)) };
  });
  const offsets = await fetchTopicsOffset.call(this, led);
  return topics.map(({ topic }) => offsets.find((each) => each.topic === topic) ?? { topic, partitions: [] });
};

/** A COMMIT_OFFSETS event, when it was for a consumer that wanted an offset which is not in the log any more. */
export interface OffsetReset {
  readonly reset?: { readonly partition: number; readonly wanted: bigint };
}

/*
 * A consumer whose offset is not in the log any more goes on at the log's start, and only logs that. Here it emits
 * COMMIT_OFFSETS, as for its other commits, with the offset it wanted. https://github.com/tulios/kafkajs/issues/1777
 */
const { setDefaultOffset } = OffsetManager.prototype;
OffsetManager.prototype.setDefaultOffset = async function (this: OffsetManager, place) {
  const wanted = BigInt(String(this.nextOffset(place.topic, place.partition)));
  await setDefaultOffset.call(this, place);
  this.instrumentationEmitter.emit('consumer.commit_offsets', {
    reset: { partition: place.partition, wanted },
  });
};

type Bytes = Buffer | string;
type Header = Bytes | null | undefined;

/** What kafkajs hands over for each record of a send. */
export interface KafkajsRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: Bytes | null;
  readonly value: Bytes | null;
  readonly headers?: Readonly<Record<string, Header | readonly Header[]>>;
}

const MAX_DELTA = 2 ** 30;
const MAX_VARINT_BYTES = 5;

/**
 * A record in Kafka's format 2 (https://kafka.apache.org/documentation/#record), byte for byte as kafkajs encodes it, at a
 * sixth of the cost: 6 % of the service's CPU per POST. kafkajs makes a zeroed buffer for each record and each header.
 * Also encodes headers without a value, which kafkajs reads (as null) but fails to write: such a record could never be
 * dead-lettered. Leaves numbers outside its range to kafkajs.
 */
export function encodeRecord(record: KafkajsRecord): { readonly buf: Buffer; readonly buffer: Buffer } {
  const { offsetDelta = 0, timestampDelta = 0, key, value, headers = {} } = record;
  if (!isSmall(offsetDelta) || !isSmall(timestampDelta)) return encodeByKafkajs(record);
  const parts: (Bytes | null)[] = [key ?? null, value];
  for (const [name, header] of Object.entries(headers)) {
    if (isList(header)) header.forEach((each) => parts.push(name, each ?? null));
    else parts.push(name, header ?? null);
  }

  const sizes = parts.map((part) => (part === null ? -1 : Buffer.byteLength(part)));
  const numbers = [timestampDelta, offsetDelta, ...sizes, (parts.length - 2) / 2];
  const attributesSize = 1;
  const bodySize =
    numbers.reduce((sum, number) => sum + varintSize(number), attributesSize) +
    sizes.reduce((sum, size) => sum + Math.max(size, 0), 0);

  const output = new Output(MAX_VARINT_BYTES + bodySize);
  output.varint(bodySize);
  output.byte(0);
  output.varint(timestampDelta);
  output.varint(offsetDelta);
  parts.forEach((part, index) => {
    if (index === 2) output.varint((parts.length - 2) / 2);
    output.bytes(part, sizes[index] ?? 0);
  });
  if (parts.length === 2) output.varint(0);
  return output;
}

function isList(header: Header | readonly Header[]): header is readonly Header[] {
  return Array.isArray(header);
}

function isSmall(delta: number): boolean {
  return Number.isInteger(delta) && Math.abs(delta) < MAX_DELTA;
}

// Zigzag: small negative numbers stay short, too.
function zigzag(value: number): number {
  return (value << 1) ^ (value >> 31);
}

function varintSize(value: number): number {
  let left = zigzag(value) >>> 7;
  let size = 1;
  for (; left !== 0; left >>>= 7) size += 1;
  return size;
}

class Output {
  readonly buf: Buffer;
  private end = 0;

  constructor(maxSize: number) {
    this.buf = Buffer.allocUnsafe(maxSize);
  }

  get buffer(): Buffer {
    return this.buf.subarray(0, this.end);
  }

  byte(value: number): void {
    this.buf[this.end] = value;
    this.end += 1;
  }

  varint(value: number): void {
    let left = zigzag(value) >>> 0;
    for (; left >= 0x80; left >>>= 7) this.byte((left & 0x7f) | 0x80);
    this.byte(left);
  }

  /** With its size in front; null has size -1. */
  bytes(value: Bytes | null, size: number): void {
    this.varint(size);
    if (value === null) return;
    if (typeof value === 'string') this.buf.write(value, this.end);
    else value.copy(this.buf, this.end);
    this.end += size;
  }
}

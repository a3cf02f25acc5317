import Broker from 'kafkajs/src/broker';
import Cluster from 'kafkajs/src/cluster';
import OffsetManager from 'kafkajs/src/consumer/offsetManager';
import RequestQueue from 'kafkajs/src/network/requestQueue';
import 'kafkajs/src/protocol/recordBatch/record/v0';
import metadata from 'kafkajs/src/protocol/requests/metadata';
import { UnsuitableServerError } from '../domain/errors';

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

// Kafka 3.0 brought DescribeTransactions: https://kafka.apache.org/protocol#protocol_api_keys
const API_SINCE_3 = 65;
const { apiVersions } = Broker.prototype;
Broker.prototype.apiVersions = async function (this: Broker) {
  const versions = await apiVersions.call(this);
  if (API_SINCE_3 in versions) return versions;
  throw new UnsuitableServerError('Kafka must be version 3.9 or newer: this one is older than 3.0');
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

/** `reset` of a COMMIT_OFFSETS event that was for a consumer which wanted an offset that is not in the log any more. */
export type OffsetReset = { readonly partition: number; readonly wanted: bigint };

/*
 * A consumer whose offset is not in the log any more goes on at the log's start, and only logs that. Here it emits
 * COMMIT_OFFSETS, as for its other commits, with the offset it wanted. https://github.com/tulios/kafkajs/issues/1777
 */
const { setDefaultOffset } = OffsetManager.prototype;
OffsetManager.prototype.setDefaultOffset = async function (this: OffsetManager, place) {
  const wanted = BigInt(String(this.nextOffset(place.topic, place.partition)));
  await setDefaultOffset.call(this, place);
  const reset: OffsetReset = { partition: place.partition, wanted };
  this.instrumentationEmitter.emit('consumer.commit_offsets', { reset });
};

type Header = Buffer | string | null | undefined;

/** What kafkajs hands over for each record of a send. */
export interface KafkajsRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: Header;
  readonly value: Header;
  readonly headers?: Readonly<Record<string, Header | Header[]>>;
}

const MAX_NUMBER_BYTES = 10;
const MAX_SIZE_BYTES = 5;

/**
 * A record in Kafka's format 2 (https://kafka.apache.org/documentation/#record), byte for byte as kafkajs encodes it, at a
 * fifth of the cost: 6 % of the service's CPU per POST. kafkajs makes a zeroed buffer for each record and each header.
 * Also encodes headers without a value, which kafkajs reads (as null) but fails to write: such a record could never be
 * dead-lettered.
 */
export function encodeRecord(record: KafkajsRecord): { readonly buf: Buffer; readonly buffer: Buffer } {
  const { offsetDelta = 0, timestampDelta = 0, key, value, headers = {} } = record;
  const fields: Header[] = [];
  for (const [name, header] of Object.entries(headers)) {
    if (Array.isArray(header)) header.forEach((each) => fields.push(name, each));
    else fields.push(name, header);
  }
  let maxSize = MAX_SIZE_BYTES + 4 * MAX_NUMBER_BYTES;
  for (const part of [key, value, ...fields]) maxSize += MAX_NUMBER_BYTES + Buffer.byteLength(part ?? '');
  const buf = Buffer.allocUnsafe(maxSize);
  let end = MAX_SIZE_BYTES;
  const writeNumber = (number: number): void => {
    // Zigzag: small negative numbers stay short, too.
    let left = number < 0 ? -2 * number - 1 : 2 * number;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) buf[end++] = (left % 0x80) | 0x80;
    buf[end++] = left;
  };
  const write = (part: Header): void => {
    writeNumber(part === null || part === undefined ? -1 : Buffer.byteLength(part));
    if (part) end += typeof part === 'string' ? buf.write(part, end) : part.copy(buf, end);
  };
  [0, timestampDelta, offsetDelta].forEach(writeNumber); // The first: no attributes.
  [key, value].forEach(write);
  writeNumber(fields.length / 2);
  fields.forEach(write);
  // In front of all this: its size.
  const bodyEnd = end;
  end = 0;
  writeNumber(bodyEnd - MAX_SIZE_BYTES);
  buf.copyWithin(MAX_SIZE_BYTES - end, 0, end);
  return { buf, buffer: buf.subarray(MAX_SIZE_BYTES - end, bodyEnd) };
}

import { randomUUID } from 'node:crypto';
import type { Message } from 'kafkajs';
import type { Registration } from '../../../src/domain/registration';
import { alterTopic, lag, produce, topicExists, withAdmin } from '../../../tests/support/kafka-tools';
import { eventually } from '../eventually';
import { inspected, topic } from '../inspect';
import { readAgain } from '../read-again';
import type { Scenario, Stage } from '../scenario';

/** Faults of a Kafka that runs. */
export const kafkaScenarios: readonly Scenario[] = [
  {
    name: 'kafka-topic-deleted',
    title: 'the topic is deleted when everything in it is stored; the service creates it again',
    tolerates: [],
    isRepeatable: true,
    async run({ bed, traffic }) {
      await traffic.pause(30);
      await eventually('lag is 0', 60, async () => (await lag(inspected(bed.env))) === 0);
      await withAdmin(bed.env, (admin) => admin.deleteTopics({ topics: [topic] }));
      await eventually('the topic is back', 30, () => topicExists(bed.env, topic));
      traffic.start();
    },
  },
  {
    name: 'kafka-broker-killed',
    title:
      'each of three brokers is killed in turn and comes back after 15 s (replication factor 3, min.insync 2)',
    tolerates: [],
    isOnCluster: true,
    async run({ bed }) {
      for (const node of nodesOf(bed)) {
        await node.kill();
        await bed.hold(15);
        await node.restart();
        // Time to get in sync again: with two out of sync no write is possible.
        await bed.hold(10);
      }
    },
  },
  {
    name: 'kafka-leaders-move',
    title: 'each of three brokers is stopped in an orderly way and started again, one after the other',
    tolerates: [],
    isOnCluster: true,
    async run({ bed }) {
      for (const node of nodesOf(bed)) {
        await node.stop();
        await bed.hold(3);
        await node.restart();
        await bed.hold(3);
      }
    },
  },
  {
    name: 'kafka-rebalance',
    title: 'three more replicas join the consumer group and leave it again, one by one',
    tolerates: [],
    async run({ bed }) {
      const joining = [await bed.addReplica(), await bed.addReplica(), await bed.addReplica()];
      for (const replica of joining) {
        await replica.start();
        await bed.hold(3);
      }
      for (const replica of joining) {
        await replica.stop();
        await bed.hold(2);
      }
    },
  },
  {
    name: 'kafka-offsets-reset',
    title: 'the group is stopped, its offsets are set to the beginning, and it reads everything again',
    tolerates: [],
    run: readAgain,
  },
  {
    name: 'kafka-partition-unled',
    title:
      'topics without copies: one of three brokers is killed, so a partition has no leader; a replica starts; after 20 s the broker is back',
    tolerates: [],
    isOnCluster: true,
    env: { KAFKA_REPLICATION_FACTOR: '1' },
    async run({ bed }) {
      const [, node] = nodesOf(bed);
      await node?.kill();
      await bed.hold(12);
      const late = await bed.addReplica();
      await late.start();
      await bed.hold(8);
      await node?.restart();
      await bed.hold(5);
    },
  },
  {
    name: 'kafka-settings',
    title:
      'the topic gets other codecs, a limit of 20 kB for a batch, the producers’ times, and its own settings again',
    tolerates: [],
    isRepeatable: true,
    async run({ bed }) {
      const env = inspected(bed.env);
      for (const codec of ['zstd', 'lz4', 'snappy']) {
        await alterTopic(env, { 'compression.type': codec, 'max.message.bytes': '20000' });
        await bed.hold(3);
      }
      await alterTopic(env, { 'message.timestamp.type': 'CreateTime', 'compression.type': 'producer' });
      await bed.hold(3);
      await alterTopic(env, { 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'producer' });
    },
  },
  {
    name: 'kafka-poison',
    title: 'records that no version of the service wrote stand between good ones',
    tolerates: [],
    isRepeatable: true,
    async run({ bed, planted }) {
      for (let round = 0; round < 5; round += 1) {
        const { bad, good } = poison();
        await produce(inspected(bed.env), [...bad, toMessage(good)]);
        planted.deadLetters.push(...bad.map(({ value }) => String(value)));
        planted.registrations.push(good);
        await bed.hold(1);
      }
    },
  },
];

function nodesOf({ cluster }: Stage['bed']) {
  if (cluster === undefined) throw new Error('the scenario needs a cluster');
  return cluster.nodes;
}

/** One of each kind, and a good one with unknown headers. */
function poison(): { bad: Message[]; good: Registration } {
  const id = randomUUID();
  const email = `poison-${id}@example.com`;
  const good = { firstName: 'Poison', lastName: 'Doe', email, gender: 'male', sex: 'male', occupation: id };
  const json = (fields: object): string => JSON.stringify({ ...good, ...fields });
  const bad = [
    { key: email, value: null },
    {
      key: email,
      value: `no JSON, and a header without a value ${id}`,
      headers: { none: null as unknown as string },
    },
    { key: null, value: json({ lastName: 'No key' }) },
    { key: email, value: `not JSON ${id}` },
    { key: email, value: json({ firstName: 42 }) },
    { key: email, value: json({ lastName: 'NUL \0 inside' }) },
    { key: email, value: json({ lastName: 'x'.repeat(900_000) }) },
    { key: `other-${email}`, value: json({ lastName: 'Other key' }) },
    // Hashing it by kafkajs alone blocks the event loop for seconds.
    { key: id.repeat(2500), value: `long key ${id}` },
  ];
  return { bad, good };
}

function toMessage(registration: Registration): Message {
  const headers = { 'x-unknown': 'header', 'event-id': 'no id at all' };
  return { key: registration.email, value: JSON.stringify(registration), headers };
}

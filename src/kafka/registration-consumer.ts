import { once } from 'node:events';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { Config } from '../config/config';
import { Backoff, pause } from '../runtime/backoff';
import type { Liveness } from '../runtime/liveness';
import { withTimeout } from '../runtime/timeout';
import type { Logger, ReceivedRecord } from '../services/ports';

const SESSION_TIMEOUT_MS = 15_000;
const REBALANCE_TIMEOUT_MS = 30_000;
const FETCH_WAIT_MS = 200;
const BATCH_RECORDS = 500;
const BEFORE_KAFKA_MS = 50;
const DISCONNECT_TIMEOUT_MS = 4000;
const TICKS = [
  'GROUP_JOIN',
  'FETCH_START',
  'FETCH',
  'HEARTBEAT',
  'END_BATCH_PROCESS',
  'REBALANCING',
] as const;

export interface RegistrationConsumerDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  readonly writer: { write(records: readonly ReceivedRecord[]): Promise<void> };
  readonly liveness: Liveness;
  /** Nothing is consumed before Kafka was reached and the topics are there. */
  readonly kafkaStatus: { readonly wasReached: boolean };
  readonly log: Logger;
}

/** Feeds the topic to the writer, from the beginning, and commits an offset only when all before it is written. */
export class RegistrationConsumer {
  readonly name = 'kafka consumer';
  readonly stopTimeoutMs = 8000;
  private readonly stopping = new AbortController();
  private readonly stopped = once(this.stopping.signal, 'abort');
  private running: Promise<void> | undefined;

  constructor(private readonly deps: RegistrationConsumerDeps) {}

  start(): void {
    this.running = this.supervise();
  }

  /** Cuts a batch that waits in back-off (its offset stays), then leaves the group. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  // kafkajs gives up for good on some errors while everything else goes on: each end is followed by a new consumer.
  private async supervise(): Promise<void> {
    const { liveness, log, kafkaStatus: kafka } = this.deps;
    const backoff = new Backoff({ minMs: 200, maxMs: 5000 });
    while (!this.stopping.signal.aborted) {
      liveness.tick();
      if (!kafka.wasReached) {
        await pause(BEFORE_KAFKA_MS, this.stopping.signal);
        continue;
      }
      try {
        await this.runUntilCrash(() => backoff.reset());
      } catch (error) {
        log.warn('consumer ended and will be rebuilt', { error });
      }
      await backoff.wait(this.stopping.signal);
    }
  }

  private async runUntilCrash(onJoined: () => void): Promise<void> {
    const { kafka, config, liveness } = this.deps;
    const consumer = kafka.consumer({
      groupId: config.groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
    });
    const ended = this.endOf(consumer);
    for (const event of TICKS) consumer.on(consumer.events[event], () => liveness.tick());
    consumer.on(consumer.events.GROUP_JOIN, onJoined);
    try {
      // A stop must not wait for a join, which the broker may hold back until the group has settled.
      await Promise.race([this.connectAndRun(consumer).then(() => ended), ended]);
    } finally {
      await this.disconnect(consumer);
    }
  }

  private async connectAndRun(consumer: Consumer): Promise<void> {
    const { topic, partitions } = this.deps.config;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: (payload) => this.writeBatch(payload),
    });
  }

  private async disconnect(consumer: Consumer): Promise<void> {
    const timeout = (): Error => new Error('not disconnected in time');
    await withTimeout(consumer.disconnect(), DISCONNECT_TIMEOUT_MS, timeout).catch((error: unknown) =>
      this.deps.log.debug('consumer left behind', { error }),
    );
  }

  /** Resolves when the process stops, rejects when kafkajs gives up. */
  private endOf(consumer: Consumer): Promise<void> {
    const crashed = new Promise<never>((_resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    });
    const ended = Promise.race([this.stopped.then(() => undefined), crashed]);
    // Awaited only once the consumer runs; a crash before that must not count as unhandled.
    ended.catch(() => undefined);
    return ended;
  }

  private async writeBatch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    for (let start = 0; start < messages.length; start += BATCH_RECORDS) {
      const chunk = messages.slice(start, start + BATCH_RECORDS);
      if (!payload.isRunning() || payload.isStale()) return;
      const records = chunk.map((message) => toRecord(topic, partition, message));
      if (!(await this.writeUntilDone(records, payload))) return;
      const last = chunk.at(-1)?.offset ?? payload.batch.lastOffset();
      payload.resolveOffset(last);
      const next = String(BigInt(last) + 1n);
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset: next }] }],
      });
      await payload.heartbeat();
    }
  }

  /** False when the process stops first. Nothing is skipped: what cannot be written now is tried again, for ever. */
  private async writeUntilDone(
    records: readonly ReceivedRecord[],
    payload: EachBatchPayload,
  ): Promise<boolean> {
    const { writer, liveness, log } = this.deps;
    const backoff = new Backoff({ minMs: 100, maxMs: 3000 });
    while (!this.stopping.signal.aborted) {
      try {
        await writer.write(records);
        return true;
      } catch (error) {
        const { topic, partition } = payload.batch;
        log.warn('batch not written yet', { topic, partition, offset: records[0]?.offset, error });
        liveness.tick();
        await backoff.wait(this.stopping.signal);
        await payload.heartbeat();
      }
    }
    return false;
  }
}

function toRecord(topic: string, partition: number, message: KafkaMessage): ReceivedRecord {
  const { key, value, headers, offset } = message;
  return { topic, partition, offset, key, value, headers: headers ?? {} };
}

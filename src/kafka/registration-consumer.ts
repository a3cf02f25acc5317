import { once } from 'node:events';
import type { Consumer, Kafka } from 'kafkajs';
import type { Config } from '../config/config';
import { Backoff, pause } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import { BatchWriter, type BatchWriterDeps } from './batch-writer';

const SESSION_TIMEOUT_MS = 15_000;
const REBALANCE_TIMEOUT_MS = 30_000;
const FETCH_WAIT_MS = 200;
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

export interface RegistrationConsumerDeps extends BatchWriterDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  /** Nothing is consumed before Kafka was reached and the topics are there. */
  readonly kafkaStatus: { readonly wasReached: boolean };
}

/** Feeds the topic to the writer, from the beginning, and commits an offset only when all before it is written. */
export class RegistrationConsumer {
  readonly name = 'kafka consumer';
  readonly stopTimeoutMs = 6000;
  private readonly stopping = new AbortController();
  private readonly stopped = once(this.stopping.signal, 'abort');
  private readonly batches: BatchWriter;
  private running: Promise<void> | undefined;

  constructor(private readonly deps: RegistrationConsumerDeps) {
    this.batches = new BatchWriter(deps, this.stopping.signal);
  }

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
      eachBatch: (payload) => this.batches.write(payload),
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
}

import type { Consumer, Kafka } from 'kafkajs';
import type { Config } from '../config/config';
import { Backoff, pause } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import type { BacklogPace } from './backlog-throttle';
import { BatchWriter, type BatchWriterDeps } from './batch-writer';
import type { StallWatchdog, WatchedConsumer } from './stall-detector';

// How long the group waits for a member that died with its broker: only then its partitions are given away.
const SESSION_TIMEOUT_MS = 8000;
const HEARTBEAT_MS = 2000;
const REBALANCE_TIMEOUT_MS = 20_000;
// Under load a fetch waits for some bytes, without it for some time: fuller batches, hence fewer INSERTs and commits.
const FETCH_BYTES = 64 * 1024;
const FETCH_WAIT_MS = 100;
// kafkajs decodes a fetch in one go, in which no request gets on: of a backlog it may bring so much of each partition. A
// record batch that is larger comes whole when its partition stands first in a fetch: kafkajs shuffles them each time.
const MAX_FETCH_BYTES = 128 * 1024;
const BEFORE_KAFKA_MS = 50;
const DISCONNECT_TIMEOUT_MS = 4000;
// What only a working consumer does. One that connects and joins, but may not read the topic, must not seem alive.
const TICKS = ['FETCH', 'HEARTBEAT', 'END_BATCH_PROCESS'] as const;

export interface RegistrationConsumerDeps extends BatchWriterDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  /** Nothing is consumed before Kafka was reached and the topics are there. */
  readonly kafkaStatus: { readonly wasReached: boolean; readonly isAway: boolean };
  readonly watchdog: Pick<StallWatchdog, 'watch'>;
  readonly pace: Pick<BacklogPace, 'mustYield' | 'inTurn' | 'forget'>;
}

/** Feeds the topic to the writer, from the beginning, and commits an offset only when all before it is written. */
export class RegistrationConsumer {
  readonly name = 'kafka consumer';
  readonly stopTimeoutMs = 6000;
  private readonly stopping = new AbortController();
  private endConsumer: (error: Error) => void = () => undefined;
  private running: Promise<void> | undefined;
  private batches: BatchWriter | undefined;

  constructor(private readonly deps: RegistrationConsumerDeps) {}

  start(): void {
    this.running = this.supervise();
  }

  /** Cuts a batch that waits in back-off (its offset stays), then leaves the group. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** When the oldest record that was fetched and is not written yet was sent, epoch milliseconds. */
  get oldestInHandAt(): number | undefined {
    return this.batches?.oldestInHandAt;
  }

  /** Ends the present consumer as a crash would; the next one starts where the group's offsets stand. */
  rebuild(reason: string): void {
    this.endConsumer(new Error(reason));
  }

  // kafkajs gives up for good on some errors while everything else goes on: each end is followed by a new consumer.
  private async supervise(): Promise<void> {
    const { liveness, log, kafkaStatus: kafka } = this.deps;
    const backoff = new Backoff({ minMs: 200, maxMs: 5000 });
    while (!this.stopping.signal.aborted) {
      if (!kafka.wasReached) {
        liveness.tick();
        await pause(BEFORE_KAFKA_MS, this.stopping.signal);
        continue;
      }
      try {
        await this.runUntilEnd(() => backoff.reset());
      } catch (error) {
        log.warn('consumer ended and will be rebuilt', { error });
        // Waiting for Kafka is a sign of life. A consumer that fails for another reason must not hide behind it.
        if (kafka.isAway || isRetriable(error)) liveness.tick();
      }
      await backoff.wait(this.stopping.signal);
    }
  }

  private async runUntilEnd(onFetched: () => void): Promise<void> {
    const { kafka, config, liveness, watchdog, pace } = this.deps;
    const consumer = kafka.consumer({
      groupId: config.groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      minBytes: FETCH_BYTES,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: MAX_FETCH_BYTES,
      allowAutoTopicCreation: false,
    });
    const batches = new BatchWriter(this.deps, this.stopping.signal);
    this.batches = batches;
    const life = new AbortController();
    const ended = this.endOf(consumer, life.signal);
    for (const event of TICKS) consumer.on(consumer.events[event], () => liveness.tick());
    consumer.on(consumer.events.FETCH, onFetched);
    consumer.on(consumer.events.GROUP_JOIN, () => pace.forget());
    const watching = watchdog.watch(
      watched(consumer, batches, config.topic),
      (reason) => this.rebuild(reason),
      life.signal,
    );
    try {
      // A stop must not wait for a join, which the broker may hold back until the group has settled.
      await Promise.race([this.connectAndRun(consumer, batches).then(() => ended), ended]);
    } finally {
      life.abort();
      await this.leave(Promise.all([consumer.disconnect(), watching]));
    }
  }

  private async connectAndRun(consumer: Consumer, batches: BatchWriter): Promise<void> {
    const { topic, partitions } = this.deps.config;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: (payload) => batches.write(payload),
    });
  }

  private async leave(leaving: Promise<unknown>): Promise<void> {
    const timeout = (): Error => new Error('not disconnected in time');
    await withTimeout(leaving, DISCONNECT_TIMEOUT_MS, timeout).catch((error: unknown) =>
      this.deps.log.debug('consumer left behind', { error }),
    );
  }

  /** Resolves when the process stops, rejects when kafkajs gives up or the consumer has to be rebuilt. */
  private endOf(consumer: Consumer, life: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.stopping.signal.addEventListener('abort', () => resolve(), { signal: life });
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      this.endConsumer = reject;
    });
    // Awaited only once the consumer runs; a crash before that must not count as unhandled.
    ended.catch(() => undefined);
    return ended;
  }
}

function watched(consumer: Consumer, batches: BatchWriter, topic: string): WatchedConsumer {
  let partitions: readonly number[] = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    partitions = payload.memberAssignment[topic] ?? [];
  });
  return {
    get partitions() {
      return partitions;
    },
    get isWriting() {
      return batches.isWriting;
    },
  };
}

/** Whether kafkajs says of the error at the bottom that trying again may help: a lost connection, a moving coordinator. */
function isRetriable(error: unknown): boolean {
  const { cause, retriable } = error as { cause?: unknown; retriable?: boolean };
  return cause === undefined ? retriable === true : isRetriable(cause);
}

import { KafkaJSError, type Consumer, type Kafka } from './kafkajs';
import type { Config } from '../config/config';
import { Backoff, pause } from '../runtime/backoff';
import { closeWithin } from '../runtime/timeout';
import type { BacklogThrottle } from './backlog-throttle';
import { ConsumerBatches, type ConsumerBatchesDeps } from './consumer-batches';
import type { ConsumerLag } from './consumer-lag';
import type { OffsetReset } from './kafkajs-patches';
import type { StallDetector } from './stall-detector';

/** For kafkajs; times in milliseconds. */
const SETTINGS = {
  // How long the group waits for a member that died with its broker before it reassigns its partitions.
  sessionTimeout: 8000,
  heartbeatInterval: 2000,
  rebalanceTimeout: 20_000,
  // A record is fetched at once when few come: FetchPacer lets them gather when many do. Without any a fetch waits.
  minBytes: 1,
  maxWaitTimeInMs: 250,
  // kafkajs decodes a fetch in one go, which blocks requests. A larger record batch still comes, whole, when its
  // partition is first in a fetch: kafkajs shuffles them each time.
  maxBytesPerPartition: 128 * 1024,
  // New partitions are consumed this much later at most.
  metadataMaxAge: 5000,
  allowAutoTopicCreation: false,
};
const START_POLL_MS = 50;
// So long that a consumer which fails each time counts as failing in between, too.
const FAILING_MS = 6000;
const DISCONNECT_TIMEOUT_MS = 4000;
// What only a working consumer does: one that joins the group but may not read the topic must not seem alive.
const LIVENESS_EVENTS = ['FETCH', 'HEARTBEAT', 'END_BATCH_PROCESS'] as const;

export interface RegistrationConsumerDeps extends ConsumerBatchesDeps {
  readonly kafka: Kafka;
  readonly config: Config['kafka'];
  /** Nothing is consumed before Kafka was reached and the topics exist. */
  readonly kafkaStatus: { readonly wasReached: boolean; readonly isUnavailable: boolean };
  /** Nor before the first attempt at the migrations has ended. */
  readonly migrations: { readonly wasAttempted: boolean };
  readonly stallDetector: Pick<StallDetector, 'watch'>;
  readonly lag: Pick<ConsumerLag, 'reportLost' | 'reportReset'>;
  readonly throttle: Pick<BacklogThrottle, 'shouldThrottle' | 'runThrottled' | 'reset'>;
}

/** Feeds the topic to the writer, from the beginning, and commits an offset only when all before it is written. */
export class RegistrationConsumer {
  readonly name = 'kafka consumer';
  readonly stopTimeoutMs = 6000;
  private readonly stopping = new AbortController();
  private failConsumer: (error: Error) => void = () => undefined;
  private running: Promise<void> | undefined;
  private batches: ConsumerBatches | undefined;
  private failed: { readonly at: number; readonly error: unknown } | undefined;

  constructor(private readonly deps: RegistrationConsumerDeps) {}

  start(): void {
    this.running = this.supervise();
  }

  /** Cuts a batch that waits in back-off (its offset stays), then leaves the group. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** When the oldest record that is fetched and not written was sent, epoch milliseconds; undefined without one. */
  get oldestInFlightAt(): number | undefined {
    return this.batches?.oldestInFlightAt;
  }

  /** Why Kafka, which responds, does not let the consumer work; undefined when it has not said so for some seconds. */
  get failure(): unknown {
    return this.failed && performance.now() - this.failed.at < FAILING_MS ? this.failed.error : undefined;
  }

  /** Ends the present consumer as a crash would; the next one starts at the group's committed offsets. */
  rebuild(reason: string): void {
    this.failConsumer(new Error(reason));
  }

  // kafkajs stops for good on some errors while the process goes on: each consumer that ends is followed by a new one.
  private async supervise(): Promise<void> {
    const { liveness, log, kafkaStatus: kafka, migrations } = this.deps;
    const { signal } = this.stopping;
    const backoff = new Backoff({ minMs: 200, maxMs: 3000 });
    while (!signal.aborted && !(kafka.wasReached && migrations.wasAttempted)) {
      liveness.tick();
      await pause(START_POLL_MS, signal);
    }
    while (!signal.aborted) {
      try {
        await this.runUntilEnd(() => {
          backoff.reset();
          this.failed = undefined;
        });
      } catch (error) {
        log.warn('consumer stopped, restarting', { error });
        const isTransient = isRetriable(error);
        if (error instanceof KafkaJSError && !isTransient) this.failed = { at: performance.now(), error };
        // Waiting for Kafka is a sign of life; a consumer that fails for another reason is not waiting.
        if (kafka.isUnavailable || isTransient) liveness.tick();
      }
      await backoff.wait(signal);
    }
  }

  // A fetch alone is no work done: a consumer that has lost its offset fetches, too.
  private async runUntilEnd(onBatchDone: () => void): Promise<void> {
    const { kafka, config, liveness, stallDetector, throttle, lag, log } = this.deps;
    const consumer = kafka.consumer({ groupId: config.groupId, ...SETTINGS });
    const batches = (this.batches = new ConsumerBatches(this.deps, this.stopping.signal));
    const consumerAbort = new AbortController();
    const ended = this.endOf(consumer, consumerAbort.signal);
    for (const event of LIVENESS_EVENTS) consumer.on(consumer.events[event], () => liveness.tick());
    consumer.on(consumer.events.END_BATCH_PROCESS, onBatchDone);
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      throttle.reset();
      batches.partitions = payload.memberAssignment[config.topic] ?? [];
    });
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      const { reset } = payload as { reset?: OffsetReset };
      if (reset) lag.reportReset(reset);
    });
    const watching = stallDetector.watch(batches, (reason) => this.rebuild(reason), consumerAbort.signal);
    const joined = this.connectAndRun(consumer, batches, consumerAbort.signal);
    try {
      // A stop must not wait for a join, which the broker may hold back until the group has settled.
      await Promise.race([joined.then(() => ended), ended]);
    } finally {
      consumerAbort.abort();
      // What is under way goes on after a disconnect: a connection would stay open, a member hold partitions that nobody reads.
      joined.finally(() => consumer.disconnect()).catch(() => undefined);
      const leaving = Promise.all([consumer.disconnect(), watching]);
      await closeWithin(DISCONNECT_TIMEOUT_MS, leaving, (error) =>
        log.debug('consumer did not disconnect in time', { error }),
      );
    }
  }

  private async connectAndRun(
    consumer: Consumer,
    batches: ConsumerBatches,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic, partitions } = this.deps.config;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await this.deps.lag.reportLost();
    signal.throwIfAborted();
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: (payload) => batches.write(payload),
    });
  }

  /** Resolves when the process stops, rejects when kafkajs stops for good or the consumer has to be rebuilt. */
  private endOf(consumer: Consumer, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.stopping.signal.addEventListener('abort', () => resolve(), { signal });
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      this.failConsumer = reject;
    });
  }
}

/** Whether kafkajs says of the error at the bottom that trying again may help: a lost connection, a moving coordinator. */
function isRetriable(error: unknown): boolean {
  const { cause, retriable } = error as { cause?: unknown; retriable?: boolean };
  return cause === undefined ? retriable === true : isRetriable(cause);
}

import type { Message } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import { Backoff } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import type {
  DeadLetters,
  RegistrationEvent,
  RegistrationQueue,
  SendPermit,
} from '../services/ports/messaging';
import type { Logger, PipelineMetrics, Span, Tracing } from '../services/ports/telemetry';
import { isTooLarge } from './kafkajs';
import { PartSender, type Outgoing } from './part-sender';
import type { KafkaProducer } from './producer';
import { toMessage, toUnsentDeadLetter } from './registration-message';
import { sendQueueLimits, type SendQueueLimits } from './send-queue-limits';

// A partition's next leader is there sooner.
const FAILING_MS = 1000;

export interface SendQueueDeps {
  readonly topic: string;
  readonly producer: Pick<KafkaProducer, 'send' | 'partitionOf'>;
  /** By default what this process has room for. */
  readonly limits?: SendQueueLimits;
  /** Take a record that alone is larger than the topic allows. */
  readonly deadLetters: DeadLetters;
  readonly metrics: Pick<PipelineMetrics, 'produced'>;
  readonly tracing?: Pick<Tracing, 'send'> | undefined;
  readonly log: Logger;
}

interface Entry extends Outgoing {
  readonly queuedAt: number;
  readonly confirm: () => void;
  readonly fail: (error: Error) => void;
  readonly span: Span | undefined;
}

/**
 * Holds records until Kafka has confirmed them, in order. All records that wait leave in one send, one send at a time;
 * a failed send is repeated until it is confirmed, whether or not its request still waits: each partition's records by
 * themselves and in smaller parts, so that one partition, or one record, is not in the way of the others.
 */
export class SendQueue implements RegistrationQueue {
  readonly name = 'send queue';
  readonly stopTimeoutMs = 5000;
  private entries: Entry[] = [];
  private bytes = 0;
  private reserved = 0;
  private sending: Promise<void> | undefined;
  /** Of the last attempt. */
  private error: unknown;
  /** By partition; undefined for sends to all of them. */
  private readonly parts = new Map<number | undefined, PartSender>();
  private isClosed = false;
  private readonly stopping = new AbortController();

  private readonly limits: SendQueueLimits;

  constructor(private readonly deps: SendQueueDeps) {
    this.limits = deps.limits ?? sendQueueLimits();
  }

  /** Records that are not confirmed yet. */
  get depth(): number {
    return this.entries.length;
  }

  /** How long the oldest of them has waited; 0 when there is none. */
  get oldestAgeMs(): number {
    const [oldest] = this.entries;
    return oldest === undefined ? 0 : performance.now() - oldest.queuedAt;
  }

  /** Why Kafka does not confirm what has waited for a second; else undefined. */
  get failure(): unknown {
    return this.oldestAgeMs > FAILING_MS ? this.error : undefined;
  }

  acquire(): SendPermit {
    const { maxRecords, maxBytes } = this.limits;
    if (this.isClosed) throw new UnavailableError('the process is stopping');
    if (this.entries.length + this.reserved >= maxRecords || this.bytes >= maxBytes) {
      throw new UnavailableError('the send queue is full');
    }
    this.reserved += 1;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.reserved -= 1;
      isHeld = false;
    };
    return {
      release,
      publish: (event, requestId) => {
        release();
        return this.push(event, requestId);
      },
    };
  }

  /** Flushes what is queued; gives up with an error when the time is over, as after a lost connection. */
  async stop(): Promise<void> {
    this.isClosed = true;
    const lost = (): Error => new Error(`${this.entries.length} unconfirmed records were given up`);
    try {
      await withTimeout(this.sending ?? Promise.resolve(), this.stopTimeoutMs - 500, lost);
    } finally {
      this.stopping.abort();
      for (const { span } of this.entries) span?.end('unconfirmed');
    }
  }

  private push(event: RegistrationEvent, requestId: string): Promise<void> {
    const span = this.deps.tracing?.send(this.deps.topic);
    const message = toMessage(event, requestId, span?.traceparent);
    const bytes = Buffer.byteLength(message.value) + Buffer.byteLength(message.key);
    return new Promise((confirm, fail) => {
      this.entries.push({ message, bytes, queuedAt: performance.now(), confirm, fail, span });
      this.bytes += bytes;
      this.sending ??= this.sendAll();
    });
  }

  private async sendAll(): Promise<void> {
    const backoff = new Backoff({ minMs: 50, maxMs: 500 });
    // Records of this turn of the event loop all go into the first batch.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.entries.length > 0 && !this.stopping.signal.aborted) {
      const groups = this.error === undefined ? new Map([[undefined, this.entries]]) : this.byPartition();
      const sends = await Promise.allSettled([...groups].map((group) => this.sendFirst(...group)));
      const failed = sends.filter((send) => send.status === 'rejected');
      // The later ones are in the health check's line.
      const level = this.error === undefined ? 'warn' : 'debug';
      const error = (this.error = failed[0]?.reason as unknown);
      if (failed.length < groups.size) backoff.reset();
      if (failed.length === 0) continue;
      this.deps.log[level]('produce failed, retrying', { records: this.entries.length, error });
      await backoff.wait(this.stopping.signal);
    }
    this.sending = undefined;
  }

  private byPartition(): Map<number | undefined, Entry[]> {
    const { producer, topic } = this.deps;
    const groups = new Map<number | undefined, Entry[]>();
    for (const entry of this.entries) {
      const partition = producer.partitionOf(topic, entry.message);
      const group = groups.get(partition);
      if (group) group.push(entry);
      else groups.set(partition, [entry]);
    }
    return groups;
  }

  private async sendFirst(partition: number | undefined, waiting: readonly Entry[]): Promise<void> {
    const parts = this.parts.get(partition) ?? new PartSender((part) => this.send(part), this.limits);
    this.parts.set(partition, parts);
    try {
      this.confirm(waiting.slice(0, await parts.sendFirst(waiting)));
    } catch (error) {
      const [first] = waiting;
      if (first === undefined || !isTooLarge(error)) throw error;
      await this.deps.deadLetters.publish([toUnsentDeadLetter(this.deps.topic, first.message)]);
      // Before it is taken out as a confirmed one is.
      first.fail(new UnavailableError('the record is larger than the topic allows', { cause: error }));
      this.confirm([first]);
    }
  }

  private async send(messages: Message[]): Promise<void> {
    const { producer, topic, metrics } = this.deps;
    const startedAt = performance.now();
    let isConfirmed = false;
    try {
      await producer.send(topic, messages);
      isConfirmed = true;
    } finally {
      metrics.produced((performance.now() - startedAt) / 1000, isConfirmed);
    }
  }

  private confirm(entries: readonly Entry[]): void {
    const confirmed = new Set(entries);
    this.entries = this.entries.filter((entry) => !confirmed.has(entry));
    for (const entry of entries) {
      this.bytes -= entry.bytes;
      entry.confirm();
      entry.span?.end();
    }
  }
}

import type { Message } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import { Backoff } from '../runtime/backoff';
import { withTimeout } from '../runtime/timeout';
import type { RegistrationEvent, RegistrationQueue, SendPermit } from '../services/ports/messaging';
import type { Logger, PipelineMetrics, Span, Tracing } from '../services/ports/telemetry';
import type { KafkaProducer } from './producer';
import { toMessage } from './registration-message';

export interface SendQueueLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
}

export const SEND_QUEUE_LIMITS: SendQueueLimits = {
  maxRecords: 10_000,
  maxBytes: 16 * 1024 * 1024,
  batchRecords: 1000,
  batchBytes: 512 * 1024,
};

export interface SendQueueDeps {
  readonly topic: string;
  readonly producer: Pick<KafkaProducer, 'send'>;
  readonly limits: SendQueueLimits;
  readonly metrics: Pick<PipelineMetrics, 'produced'>;
  readonly tracing?: Pick<Tracing, 'send'> | undefined;
  readonly log: Logger;
}

interface Entry {
  readonly message: Message;
  readonly bytes: number;
  readonly queuedAt: number;
  readonly confirm: () => void;
  readonly span: Span | undefined;
}

/**
 * Holds records until Kafka has confirmed them, in order. All records that wait leave in one send, one send at a time;
 * a failed send is repeated until it is confirmed, whether or not its request still waits.
 */
export class SendQueue implements RegistrationQueue {
  readonly name = 'send queue';
  readonly stopTimeoutMs = 5000;
  private entries: Entry[] = [];
  private bytes = 0;
  private reserved = 0;
  private sending: Promise<void> | undefined;
  private isClosed = false;
  private readonly stopping = new AbortController();

  constructor(private readonly deps: SendQueueDeps) {}

  /** Records that are not confirmed yet. */
  get depth(): number {
    return this.entries.length;
  }

  /** How long the oldest of them has waited; 0 when there is none. */
  get oldestAgeMs(): number {
    const [oldest] = this.entries;
    return oldest === undefined ? 0 : performance.now() - oldest.queuedAt;
  }

  acquire(): SendPermit {
    const { maxRecords, maxBytes } = this.deps.limits;
    if (this.isClosed) throw new UnavailableError('the process is stopping');
    if (this.entries.length + this.reserved >= maxRecords || this.bytes >= maxBytes) {
      throw new UnavailableError('the send queue is full');
    }
    return new QueuePermit(this);
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

  /** For Room only. */
  changeReserved(by: 1 | -1): void {
    this.reserved += by;
  }

  /** For Room only. */
  push(event: RegistrationEvent, requestId: string): Promise<void> {
    const span = this.deps.tracing?.send(this.deps.topic);
    const message = toMessage(event, requestId, span?.traceparent);
    const bytes = Buffer.byteLength(message.value) + Buffer.byteLength(message.key);
    return new Promise((confirm) => {
      this.entries.push({ message, bytes, queuedAt: performance.now(), confirm, span });
      this.bytes += bytes;
      this.sending ??= this.sendAll();
    });
  }

  private async sendAll(): Promise<void> {
    const backoff = new Backoff({ minMs: 50, maxMs: 1000 });
    // Records of this turn of the event loop all go into the first batch.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.entries.length > 0 && !this.stopping.signal.aborted) {
      const batch = this.nextBatch();
      try {
        await this.send(batch);
        this.confirm(batch);
        backoff.reset();
      } catch (error) {
        this.deps.log.warn('produce failed, retrying', { records: this.entries.length, error });
        await backoff.wait(this.stopping.signal);
      }
    }
    this.sending = undefined;
  }

  private async send(batch: readonly Entry[]): Promise<void> {
    const { producer, topic, metrics } = this.deps;
    const startedAt = performance.now();
    let isConfirmed = false;
    try {
      await producer.send(
        topic,
        batch.map(({ message }) => message),
      );
      isConfirmed = true;
    } finally {
      metrics.produced((performance.now() - startedAt) / 1000, isConfirmed);
    }
  }

  private nextBatch(): Entry[] {
    const { batchRecords, batchBytes } = this.deps.limits;
    let bytes = 0;
    const end = this.entries.findIndex((entry, index) => {
      bytes += entry.bytes;
      return index >= batchRecords || (index > 0 && bytes > batchBytes);
    });
    return this.entries.slice(0, end === -1 ? undefined : end);
  }

  private confirm(batch: readonly Entry[]): void {
    this.entries = this.entries.slice(batch.length);
    for (const entry of batch) {
      this.bytes -= entry.bytes;
      entry.confirm();
      entry.span?.end();
    }
  }
}

class QueuePermit implements SendPermit {
  private isHeld = true;

  constructor(private readonly queue: SendQueue) {
    queue.changeReserved(1);
  }

  publish(event: RegistrationEvent, requestId: string): Promise<void> {
    this.release();
    return this.queue.push(event, requestId);
  }

  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.queue.changeReserved(-1);
  }
}

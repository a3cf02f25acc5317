import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import type { OffsetRange, ReadProgress } from './tool-ports';

const VISIT_RECORDS = 200;

export type MessageVisitor = (
  partition: number,
  messages: readonly KafkaMessage[],
  progress: ReadProgress,
) => Promise<void>;

/**
 * One pass over offset ranges: it knows what was visited, what is left and when it ends. Each record is visited once,
 * whatever Kafka delivers again.
 */
export class Reading {
  /** Resolves when nothing is left; rejects when the visitor or Kafka fails. */
  readonly ended: Promise<void>;
  private readonly left: Map<number, OffsetRange>;
  private readonly total: bigint;
  private readonly idleSince = { at: performance.now(), isVisiting: false };
  private resolve: () => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private isOver = false;

  constructor(
    ranges: readonly OffsetRange[],
    private readonly visitor: MessageVisitor,
  ) {
    this.left = new Map(ranges.filter(({ from, to }) => from < to).map((range) => [range.partition, range]));
    this.total = this.leftOffsets();
    this.ended = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Awaited only once the consumer runs; a failure before that must not count as unhandled.
    this.ended.catch(() => undefined);
    this.endIfNothingIsLeft();
  }

  /** Ends it with an error; what is delivered afterwards is not visited. */
  fail(error: unknown): void {
    this.isOver = true;
    this.reject(error);
  }

  /** For eachBatch. Errors of the visitor end the reading; those of the heartbeat are for kafkajs. */
  async visit(payload: EachBatchPayload): Promise<void> {
    const { partition, messages } = payload.batch;
    for (let start = 0; start < messages.length && !this.isOver; start += VISIT_RECORDS) {
      const part = messages.slice(start, start + VISIT_RECORDS);
      this.idleSince.isVisiting = true;
      await this.visitPart(partition, part).catch((error: unknown) => this.fail(error));
      this.touch();
      await payload.heartbeat();
    }
  }

  /** Everything before `offset` was delivered, or is no record (a transaction's marker, a gap). */
  advance(partition: number, offset: bigint): void {
    const range = this.left.get(partition);
    if (this.isOver || range === undefined || offset <= range.from) return;
    this.touch();
    if (offset >= range.to) this.left.delete(partition);
    else this.left.set(partition, { ...range, from: offset });
    this.endIfNothingIsLeft();
  }

  /** Fails the reading when nothing happened for so long; a visitor at work is something. */
  failIfIdleFor(ms: number): void {
    if (this.idleSince.isVisiting || performance.now() - this.idleSince.at < ms) return;
    const offsets = this.leftOffsets();
    this.fail(
      new UnavailableError(`Kafka delivered nothing for ${ms / 1000} s; ${offsets} offsets not read`),
    );
  }

  private async visitPart(partition: number, part: readonly KafkaMessage[]): Promise<void> {
    const range = this.left.get(partition);
    if (range === undefined) return;
    const wanted = part.filter(({ offset }) => BigInt(offset) >= range.from && BigInt(offset) < range.to);
    const last = wanted.at(-1);
    if (last === undefined) return;
    const next = BigInt(last.offset) + 1n;
    const done = this.total - this.leftOffsets() + (next - range.from);
    await this.visitor(partition, wanted, { done, total: this.total });
    this.advance(partition, next);
  }

  private touch(): void {
    this.idleSince.at = performance.now();
    this.idleSince.isVisiting = false;
  }

  private endIfNothingIsLeft(): void {
    if (this.left.size > 0) return;
    this.isOver = true;
    this.resolve();
  }

  private leftOffsets(): bigint {
    return [...this.left.values()].reduce((sum, { from, to }) => sum + (to - from), 0n);
  }
}

import type { Writable } from 'node:stream';
import Transport from 'winston-transport';

/** How much of the log waits for a reader that is late, in UTF-16 units: two seconds of it under full load. */
export const MAX_WAITING = 4 * 1024 * 1024;
// Where winston keeps the finished line.
const MESSAGE = Symbol.for('message');

/**
 * Writes log lines to process.stdout, those of one turn of the event loop at once. It waits for no reader (Node writes
 * asynchronously to pipes and sockets): lines beyond MAX_WAITING, or that nobody reads any more, are lost. Emits
 * `dropped` with their number, and `caught-up` with how many it were since the last one, when less than half is waiting.
 */
export class LogOutput extends Transport {
  private lines = '';
  private count = 0;
  private lost = 0;

  constructor(private readonly stdout: Writable) {
    super();
    stdout.on('error', () => undefined); // Counted where the write failed.
    process.once('exit', () => this.writeLines());
  }

  override log(info: Readonly<Record<symbol, unknown>>, next: () => void): void {
    if (this.stdout.writableLength + this.lines.length < MAX_WAITING) {
      if (this.lines === '') setImmediate(() => this.writeLines());
      this.lines += `${String(info[MESSAGE])}\n`;
      this.count += 1;
    } else this.drop(1);
    next();
  }

  /** Resolves when all is written, or nobody has read it for half a second: before an exit, which would lose it. */
  flush(): Promise<void> {
    this.writeLines();
    return new Promise((resolve) => {
      setTimeout(resolve, 500);
      this.stdout.write('', () => resolve());
    });
  }

  private writeLines(): void {
    const { lines, count } = this;
    this.lines = '';
    this.count = 0;
    if (lines !== '') this.stdout.write(lines, (error) => (error ? this.drop(count) : this.catchUp()));
  }

  private drop(lines: number): void {
    this.lost += lines;
    this.emit('dropped', lines);
  }

  private catchUp(): void {
    const { lost } = this;
    if (lost === 0 || this.stdout.writableLength > MAX_WAITING / 2) return;
    this.lost = 0;
    this.emit('caught-up', lost);
  }
}

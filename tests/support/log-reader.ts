import { Writable } from 'node:stream';

/** Takes the place of stdout: keeps what it reads, and reads nothing while it is stalled. */
export class LogReader extends Writable {
  readonly chunks: string[] = [];
  private isStalled = false;
  private resume = (): void => undefined;

  constructor() {
    super({ decodeStrings: false });
  }

  get text(): string {
    return this.chunks.join('');
  }

  stall(): void {
    this.isStalled = true;
  }

  readAgain(): void {
    this.isStalled = false;
    this.resume();
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.resume = () => {
      this.chunks.push(chunk);
      done();
    };
    if (!this.isStalled) this.resume();
  }
}

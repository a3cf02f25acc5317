import type { WriteStream } from 'node:tty';

const NOT_PRINTABLE = /[\p{Cc}\u2028-\u202E\u2066-\u2069]/gu;
const CLEAR_LINE = '\r\u001b[K';
const TTY_INTERVAL_MS = 100;
const FIRST_PLAIN_INTERVAL_MS = 1000;

/** The reader of the output is gone, as with `| head`: there is nothing left to do. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';
}

type Stream = Pick<WriteStream, 'write' | 'on'> & { readonly isTTY?: boolean };

/** Results go to stdout; progress and hints go to stderr. */
export class Terminal {
  /** Whether something of the result could not be written. */
  isClosed = false;
  private nextProgressAt = 0;
  private plainIntervalMs = FIRST_PLAIN_INTERVAL_MS;
  private hasProgressLine = false;

  constructor(
    private readonly stdout: Stream,
    private readonly stderr: Stream,
  ) {
    stdout.on('error', () => (this.isClosed = true));
    stderr.on('error', () => undefined);
  }

  /** One line of the result. Control and bidirectional characters, which could rewrite the screen, become `?`. */
  line(text: string): void {
    if (this.isClosed) throw new OutputClosedError('the output was closed');
    this.clearProgress();
    this.stdout.write(`${printable(text)}\n`);
  }

  /** As one JSON text of several lines. */
  json(value: unknown): void {
    for (const line of JSON.stringify(value, null, 2).split('\n')) this.line(line);
  }

  /**
   * A part of the result for a file or a program, as it is. Resolves when it is written, so that memory holds one part only.
   * Rejects with OutputClosedError when the reader is gone, else with what went wrong, such as a full disk.
   */
  async data(text: string): Promise<void> {
    this.clearProgress();
    await new Promise<void>((resolve, reject) => {
      this.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    }).catch((error: unknown) => {
      const isClosed = (error as NodeJS.ErrnoException).code === 'EPIPE';
      throw isClosed ? new OutputClosedError('the output was closed', { cause: error }) : error;
    });
  }

  note(text: string): void {
    this.clearProgress();
    this.stderr.write(`${printable(text)}\n`);
  }

  /** Progress: one line that changes on a terminal, else lines after 0, 1, 3, 7, 15… s. */
  progress(text: string): void {
    const { isTTY = false } = this.stderr;
    const now = performance.now();
    if (now < this.nextProgressAt) return;
    this.nextProgressAt = now + (isTTY ? TTY_INTERVAL_MS : this.plainIntervalMs);
    this.plainIntervalMs *= 2;
    this.hasProgressLine = isTTY;
    this.stderr.write(isTTY ? `${CLEAR_LINE}${printable(text)}` : `${printable(text)}\n`);
  }

  private clearProgress(): void {
    if (this.hasProgressLine) this.stderr.write(CLEAR_LINE);
    this.hasProgressLine = false;
  }
}

function printable(text: string): string {
  return text.replace(NOT_PRINTABLE, '?');
}

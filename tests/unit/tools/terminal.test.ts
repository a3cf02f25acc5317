import { OutputClosedError, Terminal } from '../../../src/tools/terminal';

class Stream {
  text = '';
  closed: () => void = () => undefined;

  constructor(readonly isTTY: boolean) {}

  written: (error?: Error) => void = () => undefined;

  write(text: string, onWritten: (error?: Error) => void = () => undefined): boolean {
    this.text += text;
    this.written = onWritten;
    return true;
  }

  on(_event: string, listener: () => void): this {
    this.closed = listener;
    return this;
  }
}

function setUp(isTTY = false) {
  const [stdout, stderr] = [new Stream(isTTY), new Stream(isTTY)];
  return { stdout, stderr, terminal: new Terminal(stdout as never, stderr as never) };
}

describe('Terminal', () => {
  it('keeps results and hints apart', () => {
    const { stdout, stderr, terminal } = setUp();

    terminal.line('result');
    terminal.note('hint');

    expect(stdout.text).toBe('result\n');
    expect(stderr.text).toBe('hint\n');
  });

  it('shows control and bidirectional characters as ?', () => {
    const { stdout, terminal } = setUp();

    terminal.line('a\u001b[2Jb\u202ec\nd');

    expect(stdout.text).toBe('a?[2Jb?c?d\n');
  });

  it('shows progress in plain lines, which become rarer', () => {
    jest.useFakeTimers();
    const { stderr, terminal } = setUp();

    for (let second = 0; second < 60; second += 1) {
      terminal.progress(`${second} of 60`);
      jest.advanceTimersByTime(1000);
    }

    jest.useRealTimers();
    expect(stderr.text.match(/^\d+/gm)).toEqual(['0', '1', '3', '7', '15', '31']);
  });

  it('shows progress on a terminal in one line that makes way for results', () => {
    const { stdout, stderr, terminal } = setUp(true);

    terminal.progress('1 of 3');
    terminal.line('result');

    expect(stderr.text).toBe('\r\u001b[K1 of 3\r\u001b[K');
    expect(stdout.text).toBe('result\n');
  });

  it('throws when the output is no longer read', () => {
    const { stdout, terminal } = setUp();
    stdout.closed();

    expect(() => terminal.line('result')).toThrow(OutputClosedError);
  });

  it('hands over data as they are, and goes on when they are written', async () => {
    const { stdout, stderr, terminal } = setUp(true);
    let isWritten = false;

    terminal.progress('1 of 3');
    const writing = terminal.data('a\u202e\tb\r\n').then(() => (isWritten = true));
    await Promise.resolve();

    expect(isWritten).toBe(false);
    expect([stdout.text, stderr.text]).toEqual(['a\u202e\tb\r\n', '\r\u001b[K1 of 3\r\u001b[K']);
    stdout.written();
    await expect(writing).resolves.toBe(true);
  });

  it.each([
    ['EPIPE', OutputClosedError],
    ['ENOSPC', 'no room'],
  ])('rejects when data cannot be written (%s)', async (code, problem) => {
    const { stdout, terminal } = setUp();

    const writing = terminal.data('data');
    stdout.written(Object.assign(new Error('no room'), { code }));

    await expect(writing).rejects.toThrow(problem);
  });
});

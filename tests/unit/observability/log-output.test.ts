import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { LogOutput, MAX_WAITING } from '../../../src/observability/log-output';
import { createLogger } from '../../../src/observability/logger';
import { eventually } from '../../support/eventually';
import { LogReader } from '../../support/log-reader';

const KILOBYTE = { text: 'x'.repeat(1024) };

function setUp() {
  const reader = new LogReader();
  const output = new LogOutput(reader);
  const log = createLogger({ level: 'info', json: true, output });
  const dropped: number[] = [];
  output.on('dropped', (lines: number) => dropped.push(lines));
  const total = () => dropped.reduce((sum, lines) => sum + lines, 0);
  const messages = () =>
    reader.text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message);
  return { reader, output, log, total, messages };
}

const turnIsOver = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('LogOutput', () => {
  it('writes the lines of one turn at once', async () => {
    const { reader, log, messages } = setUp();

    for (const message of ['first', 'second', 'third']) log.info(message);
    await turnIsOver();

    expect(reader.chunks).toHaveLength(1);
    expect(messages()).toEqual(['first', 'second', 'third']);
  });

  it('keeps what a late reader has not read up to its limit, drops the rest and says how much', async () => {
    const { reader, output, log, total, messages } = setUp();
    reader.stall();

    for (let lines = 0; lines < 6000; lines += 1) {
      log.info('kept or not', KILOBYTE);
      if (lines % 100 === 0) await turnIsOver();
    }
    const lost = total();
    const waiting = reader.writableLength;
    reader.readAgain();
    await eventually(() => expect(messages()).toContain('log lines dropped: stdout was not read'));

    expect(lost).toBeGreaterThan(1000);
    expect(waiting).toBeLessThan(MAX_WAITING + 2 * KILOBYTE.text.length); // The last line began below it.
    expect(waiting).toBeGreaterThan(MAX_WAITING * 0.9);
    expect(messages().filter((message) => message === 'kept or not')).toHaveLength(6000 - lost);
    expect(JSON.parse(reader.text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ lines: lost });
    await output.flush();
    expect(total()).toBe(lost);
  });

  it('drops what one turn has too much', async () => {
    const { output, log, total, messages } = setUp();

    for (let lines = 0; lines < 5000; lines += 1) log.info('in one turn', KILOBYTE);
    await output.flush();

    expect(total()).toBeGreaterThan(0);
    expect(messages().filter((message) => message === 'in one turn')).toHaveLength(5000 - total());
  });

  it('counts the lines of a write that failed', async () => {
    const { reader, log, total } = setUp();
    jest.spyOn(reader, '_write').mockImplementation((_chunk, _encoding, done: (error: Error) => void) => {
      done(new Error('EPIPE'));
    });

    log.info('first');
    log.info('second');
    await eventually(() => expect(total()).toBe(2));
  });

  it('waits half a second at most for a reader before an exit', async () => {
    const { reader, output, log } = setUp();
    reader.stall();
    log.info('not read');

    await output.flush();

    expect(reader.text).toBe('');
  });
});

const children: ChildProcess[] = [];
afterAll(() => children.forEach((child) => child.kill('SIGKILL')));

/** A process that logs; its stdout is read only when the test reads it. */
function launch(program: string) {
  const prelude = `
    const { createLogger } = require('./src/observability/logger');
    const { LogOutput } = require('./src/observability/log-output');
    const output = new LogOutput(process.stdout);
    const log = createLogger({ level: 'info', json: true, output });
    const kilobyte = { text: 'x'.repeat(1024) };`;
  const child = spawn(
    process.execPath,
    ['--max-old-space-size=64', '--import', 'tsx', '--eval', prelude + program],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  children.push(child);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  let text = '';
  return {
    child,
    exited,
    read: () => child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString())),
    lines: () => text.trimEnd().split('\n'),
  };
}

describe('a process whose log', () => {
  it('is not read goes on in bounded memory, and says how much was lost', async () => {
    const { child, exited, read, lines } = launch(`
      let dropped = 0;
      output.on('dropped', (lines) => { dropped += lines; });
      let turns = 0;
      const flood = () => {
        for (let lines = 0; lines < 500; lines += 1) log.info('flood', kilobyte);
        turns += 1;
        if (turns < 200) setImmediate(flood);
        else process.send({ dropped });
      };
      flood();
      process.on('message', async () => {
        log.error('last words');
        await output.flush();
        process.exit(0);
      });`);

    const [{ dropped }] = (await once(child, 'message')) as [{ dropped: number }];
    read();
    await eventually(() => expect(lines().at(-1)).toContain(`"lines":${dropped}`));
    child.send('stop');

    expect(await exited).toBe(0);
    expect(dropped).toBeGreaterThan(90_000);
    await eventually(() => expect(lines()).toHaveLength(100_000 - dropped + 2));
    expect(lines().at(-1)).toContain('last words');
  });

  it('is not read exits all the same', async () => {
    const { exited } = launch(`
      for (let lines = 0; lines < 2000; lines += 1) log.info('flood', kilobyte);
      output.flush().then(() => process.exit(3));`);

    expect(await exited).toBe(3);
  });

  it('is closed goes on, and counts every line', async () => {
    const { child, exited } = launch(`
      let dropped = 0;
      output.on('dropped', (lines) => {
        dropped += lines;
        if (dropped === 3) process.exit(4);
      });
      process.send('ready');
      process.on('message', () => log.info('nobody reads this'));`);

    await once(child, 'message');
    child.stdout?.destroy();
    for (const message of ['first', 'second', 'third']) child.send(message);

    expect(await exited).toBe(4);
  });

  it('loses no line when the process exits in the same turn', async () => {
    const { exited, read, lines } = launch(`log.error('last words'); process.exit(1);`);
    read();

    expect(await exited).toBe(1);
    await eventually(() => expect(lines()).toEqual([expect.stringContaining('last words')]));
  });
});

import { spawnSync } from 'node:child_process';
import { describeError } from '../../../src/observability/describe-error';
import { createLogger } from '../../../src/observability/logger';

describe('describeError', () => {
  it('keeps name, code, message, stack and causes', () => {
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const error = new TypeError('outer', { cause });

    expect(describeError(error)).toEqual({
      name: 'TypeError',
      message: 'outer',
      stack: error.stack,
      cause: { name: 'Error', code: 'ECONNREFUSED', message: 'refused', stack: cause.stack },
    });
  });

  it.each(['22001', '23505', 'P0001'])('leaves out what PostgreSQL may quote (SQLSTATE %s)', (code) => {
    const fields = { code, detail: 'Key (email)=(john@example.com) already exists.' };
    const error = Object.assign(new Error('value "john@example.com" is bad'), fields);

    expect(describeError(error)).toEqual({ name: 'Error', code });
  });

  it('leaves out the arguments that Redis quotes', () => {
    const message =
      "ERR unknown command 'eval', with args beginning with: 'script' '1' 'user:pending:john@example.com' ";

    expect(describeError(new Error(message))).toEqual({
      name: 'Error',
      message: "ERR unknown command 'eval'",
    });
  });

  it('leaves out driver fields that hold arguments or bodies', () => {
    const error = Object.assign(new Error('failed'), {
      command: { args: ['john@example.com'] },
      body: 'john',
    });

    expect(JSON.stringify(describeError(error))).not.toContain('john');
  });

  it('ends a chain of causes that has no end', () => {
    const error: Error = new Error('loop');
    error.cause = error;

    expect(JSON.stringify(describeError(error)).match(/"loop"/g)?.length).toBeLessThan(10);
  });

  it('describes what is no error', () => {
    expect(describeError('text')).toEqual({ name: 'string', message: 'text' });
  });
});

describe('createLogger', () => {
  const written: string[] = [];
  beforeEach(() => {
    written.length = 0;
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
  });
  const turnIsOver = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  afterEach(() => jest.restoreAllMocks());

  it('writes one JSON object a line in production', async () => {
    createLogger({ level: 'info', json: true }).warn('something', {
      requestId: 'req-1',
      error: new Error('broken'),
    });
    await turnIsOver();

    expect(JSON.parse(written.join(''))).toEqual({
      level: 'warn',
      message: 'something',
      requestId: 'req-1',
      error: { name: 'Error', message: 'broken', stack: expect.any(String) },
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it('writes a readable line in development', async () => {
    createLogger({ level: 'info', json: false }).info('something', { status: 201 });
    await turnIsOver();

    expect(written.join('')).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}something \{"status":201\}\n$/);
  });

  it('shows an error in one line with its causes, and the stack of a broken thing', async () => {
    const cause = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
    const log = createLogger({ level: 'info', json: false });

    log.warn('waiting', { error: new Error('unavailable', { cause }) });
    log.error('broken', { error: new TypeError('bug') });
    await turnIsOver();

    const [line, ...others] = written.join('').split('\n');
    expect(line).toMatch(/warn {2}waiting — unavailable — ECONNREFUSED$/);
    expect(others.join('\n')).toMatch(/error broken\nTypeError: bug\n {4}at /);
  });

  it('leaves out what is below its level', async () => {
    createLogger({ level: 'warn', json: true }).info('something');
    await turnIsOver();

    expect(written).toEqual([]);
  });

  it('writes the lines of one turn at once', async () => {
    const log = createLogger({ level: 'info', json: true });

    for (const message of ['first', 'second', 'third']) log.info(message);
    await turnIsOver();

    expect(written).toHaveLength(1);
    expect(written.join('').match(/"message":"\w+"/g)).toEqual([
      '"message":"first"',
      '"message":"second"',
      '"message":"third"',
    ]);
  });

  it('loses no line when the process exits in the same turn', () => {
    const program = `
      const { createLogger } = require('./src/observability/logger');
      createLogger({ level: 'info', json: true }).error('last words');
      process.exit(1);`;

    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--eval', program], {
      encoding: 'utf8',
    });

    expect(JSON.parse(stdout)).toMatchObject({ level: 'error', message: 'last words' });
  });
});

import { describeError } from '../../../src/observability/describe-error';
import { LogOutput } from '../../../src/observability/log-output';
import { createLogger } from '../../../src/observability/logger';
import { LogReader } from '../../support/log-reader';

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
  let reader: LogReader;
  let output: LogOutput;
  beforeEach(() => {
    reader = new LogReader();
    output = new LogOutput(reader);
  });

  it('writes one JSON object a line in production', async () => {
    createLogger({ level: 'info', json: true, output }).warn('something', {
      requestId: 'req-1',
      error: new Error('broken'),
    });
    await output.flush();

    expect(JSON.parse(reader.text)).toEqual({
      level: 'warn',
      message: 'something',
      requestId: 'req-1',
      error: { name: 'Error', message: 'broken', stack: expect.any(String) },
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it('writes a readable line in development', async () => {
    createLogger({ level: 'info', json: false, output }).info('something', { status: 201 });
    await output.flush();

    expect(reader.text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}something \{"status":201\}\n$/);
  });

  it('shows an error in one line with its causes, and the stack of a broken thing', async () => {
    const cause = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
    const log = createLogger({ level: 'info', json: false, output });

    log.warn('waiting', { error: new Error('unavailable', { cause }) });
    log.error('broken', { error: new TypeError('bug') });
    await output.flush();

    const [line, ...others] = reader.text.split('\n');
    expect(line).toMatch(/warn {2}waiting — unavailable — ECONNREFUSED$/);
    expect(others.join('\n')).toMatch(/error broken\nTypeError: bug\n {4}at /);
  });

  it('leaves out what is below its level', async () => {
    createLogger({ level: 'warn', json: true, output }).info('something');
    await output.flush();

    expect(reader.text).toBe('');
  });

  it('says how many lines were lost', async () => {
    createLogger({ level: 'info', json: true, output });

    output.emit('caught-up', 17);
    await output.flush();

    expect(JSON.parse(reader.text)).toMatchObject({
      level: 'warn',
      message: 'log lines dropped: stdout was not read',
      lines: 17,
    });
  });
});

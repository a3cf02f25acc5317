import winston from 'winston';
import type { Logger } from '../services/ports/telemetry';
import { describeError, textsOf, type ErrorDescription } from './describe-error';
import type { LogOutput } from './log-output';

const withPlainErrors = winston.format((info) => {
  if (info['error'] !== undefined) info['error'] = describeError(info['error']);
  return info;
});

// Human-readable: an error is one line, with its stack only at level error.
const readable = winston.format.printf(({ timestamp, level, message, error, ...fields }) => {
  const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
  const problem = error === undefined ? '' : formatError(error as ErrorDescription, level === 'error');
  return `${String(timestamp).slice(11, 23)} ${level.padEnd(5)} ${String(message)}${rest}${problem}`;
});

function formatError(error: ErrorDescription, withStack: boolean): string {
  return withStack && error.stack !== undefined ? `\n${error.stack}` : ['', ...textsOf(error)].join(' — ');
}

// Without winston's own json(), which sorts keys and looks for circles, and its Console, which makes an immediate for an
// event without listeners: half the cost of a line.
const json = winston.format.printf((info) => JSON.stringify(info));

/** One JSON object a line in production, one readable line in development. Says how many lines the output lost. */
export function createLogger(options: Readonly<{ level: string; json: boolean; output: LogOutput }>): Logger {
  const { level, output } = options;
  const { combine, timestamp } = winston.format;
  const format = combine(withPlainErrors(), timestamp(), options.json ? json : readable);
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's own types disagree
  const log = winston.createLogger({ level, format, transports: [output] });
  output.on('caught-up', (lines: number) => log.warn('log lines dropped: stdout was not read', { lines }));
  return log;
}

import winston from 'winston';
import type { Logger } from '../services/ports';
import { describeError, type ErrorDescription } from './describe-error';

const withPlainErrors = winston.format((info) => {
  if (info['error'] !== undefined) info['error'] = describeError(info['error']);
  return info;
});

// For eyes: an error is one line, its stack only where something is broken.
const readable = winston.format.printf(({ timestamp, level, message, error, ...fields }) => {
  const problem = error === undefined ? '' : describeForEyes(error as ErrorDescription, level === 'error');
  const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
  return `${String(timestamp).slice(11, 23)} ${level.padEnd(5)} ${String(message)}${rest}${problem}`;
});

/** Logs to stdout: one JSON object a line in production, one readable line in development. */
export function createLogger(options: { readonly level: string; readonly json: boolean }): Logger {
  const { combine, timestamp, json } = winston.format;
  return winston.createLogger({
    level: options.level,
    format: combine(withPlainErrors(), timestamp(), options.json ? json() : readable),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's own types disagree
    transports: [new winston.transports.Console()],
  });
}

function describeForEyes(
  { name, code, message, stack, cause }: ErrorDescription,
  withStack: boolean,
): string {
  if (withStack && stack !== undefined) return `\n${stack}`;
  const text = message !== undefined && message !== '' ? message : (code ?? name);
  return ` — ${text}${cause === undefined ? '' : describeForEyes(cause, false)}`;
}

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './usage-error';

const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** parseArgs() of node:util, strict. Throws UsageError with one short sentence. */
export function parseOptions<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: Options,
) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const [problem = ''] = (error as Error).message.split(/[.\n]/); // A hint in further sentences follows.
    throw new UsageError(problem, { cause: error });
  }
}

/** An ISO 8601 date, or time with its zone, in ms. Throws UsageError. */
export function parseTime(option: string, text: string): number {
  const time = ISO_TIME.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`--${option} must be an ISO time such as 2026-11-23 or 2026-11-23T21:30:00Z`);
  }
  return time;
}

import { parseArgs, type ParseArgsConfig } from 'node:util';
import dotenv from 'dotenv';
import { ConfigError, loadConfig, type Config } from '../config/config';
import { errorLine } from '../observability/describe-error';
import { OutputClosedError, Terminal } from './terminal';

const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** A program for operators, run from the command line. */
export interface Tool<Command extends { readonly name: string }> {
  readonly help: string;
  /** Throws UsageError. */
  readonly parse: (args: string[]) => Command;
  readonly run: (command: Command, config: Config, terminal: Terminal) => Promise<void>;
}

/** The command line is wrong; the message says why in one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Resolves to the exit code: 0; 1 with one line when it failed; 2 with one line when the command line is wrong. */
export async function runTool<Command extends { readonly name: string }>(
  tool: Tool<Command>,
  { argv, env, stdout, stderr }: Pick<NodeJS.Process, 'argv' | 'env' | 'stdout' | 'stderr'>,
): Promise<number> {
  const terminal = new Terminal(stdout, stderr);
  const args = argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    tool.help.split('\n').forEach((line) => terminal.line(line));
    return 0;
  }
  let attempt = 'start';
  try {
    const command = tool.parse(args);
    attempt = command.name;
    await tool.run(command, loadConfig(env), terminal);
    return 0;
  } catch (error) {
    if (error instanceof OutputClosedError) return 0;
    if (error instanceof UsageError) {
      terminal.note(`${error.message} (--help shows how to use it)`);
      return 2;
    }
    terminal.note(error instanceof ConfigError ? error.message : `Cannot ${attempt}: ${errorLine(error)}`);
    return 1;
  }
}

/** Runs a tool as this process, with the settings of .env, and exits. */
export function startTool<Command extends { readonly name: string }>(tool: Tool<Command>): void {
  dotenv.config({ quiet: true });
  // A connection that was given up must not keep the process; what was written to stdout is out by now.
  void runTool(tool, process).then((code) => process.exit(code));
}

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

/** An ISO 8601 date, or time with its zone, in ms; undefined when it is not given. Throws UsageError. */
export function parseTime(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = ISO_TIME.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`--${option} must be an ISO time such as 2026-11-23 or 2026-11-23T21:30:00Z`);
  }
  return time;
}

/** How often each name was counted, in the order of its first time. */
export class Counts<Name extends string> {
  private readonly counts = new Map<Name, number>();

  add(name: Name): void {
    this.counts.set(name, this.of(name) + 1);
  }

  of(name: Name): number {
    return this.counts.get(name) ?? 0;
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Such as `2 conflict, 1 invalid`. */
  toString(): string {
    return [...this.counts].map(([name, count]) => `${count} ${name}`).join(', ');
  }
}

/** Such as `1 dead letter`, `2 dead letters`. */
export function plural(count: number | bigint, noun: string): string {
  return `${count} ${noun}${Number(count) === 1 ? '' : 's'}`;
}

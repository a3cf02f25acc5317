import { ConfigError, loadConfig, type Config } from '../config/config';
import { errorLine } from '../observability/error-line';
import { OutputClosedError, Terminal } from './terminal';
import { UsageError } from './usage-error';

/** A tool for operators, run from the command line. */
export interface Tool<Command extends { readonly name: string }> {
  readonly help: string;
  /** Throws UsageError. */
  readonly parse: (args: string[]) => Command;
  readonly run: (command: Command, config: Config, terminal: Terminal) => Promise<void>;
}

/** What a tool takes from its process. */
export interface ToolProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Resolves to the exit code: 0; 1 with one line when it cannot be done; 2 with one line when asked for nonsense. */
export async function runTool<Command extends { readonly name: string }>(
  tool: Tool<Command>,
  { argv, env, stdout, stderr }: ToolProcess,
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

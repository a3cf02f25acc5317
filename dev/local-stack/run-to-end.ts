import { LocalStackError } from './local-stack-error';
import { type Command, OwnedProcess } from './owned-process';
import { lastWords, withLog } from './server-log';

/** Runs a preparing program; rejects with the last line of its output when it fails. */
export async function runToEnd(what: string, command: Command, log: string): Promise<void> {
  const child = await withLog(log, (output) => OwnedProcess.start(command, ['ignore', output, output]));
  const code = await child.exited;
  if (code !== 0) throw new LocalStackError(`${what} failed with code ${code}: ${lastWords(log)}`);
}

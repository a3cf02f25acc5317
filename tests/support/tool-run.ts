import { createSeedTool } from '../../dev/seed/seed-tool';
import { DLQ_HELP, parseDlqArguments } from '../../src/tools/dlq-arguments';
import { runDlq } from '../../src/tools/dlq-commands';
import { parseReconcileArguments, RECONCILE_HELP, runReconcile } from '../../src/tools/reconcile-command';
import { runTool, type Tool, type ToolProcess } from '../../src/tools/run-tool';
import type { Env } from './test-servers';

/** What a tool printed, and its exit code. */
export interface ToolRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run dlq -- <line>` in this process. */
export function dlq(env: Env, line: string): Promise<ToolRun> {
  return run({ help: DLQ_HELP, parse: parseDlqArguments, run: runDlq }, env, line);
}

/** `npm run reconcile -- <line>` in this process. */
export function reconcile(env: Env, line = ''): Promise<ToolRun> {
  return run({ help: RECONCILE_HELP, parse: parseReconcileArguments, run: runReconcile }, env, line);
}

/** `npm run seed -- <line>` in this process. */
export function seed(env: Env, line = ''): Promise<ToolRun> {
  return run(createSeedTool(env), env, line);
}

async function run<Command extends { readonly name: string }>(
  tool: Tool<Command>,
  env: Env,
  line: string,
): Promise<ToolRun> {
  const output = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof output): NodeJS.WriteStream =>
    ({
      write: (text: string) => {
        output[name] += text;
      },
      on: () => undefined,
    }) as unknown as NodeJS.WriteStream;
  const process: ToolProcess = {
    argv: ['node', 'tool', ...line.split(' ').filter((word) => word !== '')],
    env,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
  };
  const code = await runTool(tool, process);
  return { code, ...output };
}

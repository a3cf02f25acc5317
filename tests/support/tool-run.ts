import { Readable } from 'node:stream';
import { createSeedTool } from '../../dev/seed/seed-tool';
import { DLQ } from '../../src/tools/dlq';
import { createPrivacyTool } from '../../src/tools/privacy';
import { RECONCILE } from '../../src/tools/reconcile';
import { runTool, type Tool } from '../../src/tools/run-tool';
import type { Env } from './test-servers';

/** What a tool printed, and its exit code. */
export interface ToolRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run dlq -- <line>` in this process. */
export function dlq(env: Env, line: string): Promise<ToolRun> {
  return run(DLQ, env, line);
}

/** `npm run reconcile -- <line>` in this process. */
export function reconcile(env: Env, line = ''): Promise<ToolRun> {
  return run(RECONCILE, env, line);
}

/** `npm run privacy -- <line>` in this process, with this text on stdin. */
export function privacy(env: Env, line: string, stdin = ''): Promise<ToolRun> {
  return run(createPrivacyTool(Readable.from([stdin])), env, line);
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
  const stream = (name: keyof typeof output): never =>
    ({
      write: (text: string) => {
        output[name] += text;
      },
      on: () => undefined,
    }) as never;
  const argv = ['node', 'tool', ...line.split(' ').filter((word) => word !== '')];
  const code = await runTool(tool, { argv, env, stdout: stream('stdout'), stderr: stream('stderr') });
  return { code, ...output };
}

import { Readable } from 'node:stream';
import { createSeedTool } from '../../dev/seed/seed-tool';
import { DLQ } from '../../src/tools/dlq';
import { createEventsTool } from '../../src/tools/events';
import { createPrivacyTool } from '../../src/tools/privacy';
import { createExport } from '../../src/tools/export';
import { RECONCILE } from '../../src/tools/reconcile';
import { runTool, type Tool } from '../../src/tools/run-tool';
import type { Env } from './test-servers';

/** What a tool printed, and its exit code. */
export interface ToolRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type OnOutput = (stream: 'stdout' | 'stderr', text: string) => unknown;

/** `npm run dlq -- <line>` in this process. */
export function dlq(env: Env, line: string): Promise<ToolRun> {
  return run(DLQ, env, line);
}

/** `npm run events -- <line>` in this process; `onOutput` gets each part of what it prints before it goes on. */
export function events(
  env: Env,
  line: string,
  onOutput: OnOutput = () => undefined,
  stop = new AbortController().signal,
): Promise<ToolRun> {
  return run(createEventsTool(stop), env, line, onOutput);
}

/** `npm run reconcile -- <line>` in this process. */
export function reconcile(env: Env, line = ''): Promise<ToolRun> {
  return run(RECONCILE, env, line);
}

/** `npm run privacy -- <line>` in this process, with this text on stdin. */
export function privacy(env: Env, line: string, stdin = ''): Promise<ToolRun> {
  return run(createPrivacyTool(Readable.from([stdin])), env, line);
}

/** `npm run export -- <line>` in this process; `onOutput` gets each part of what it prints before it goes on. */
export function exportUsers(
  env: Env,
  line = '',
  onOutput: OnOutput = () => undefined,
  stop = new AbortController().signal,
): Promise<ToolRun> {
  return run(createExport(stop), env, line, onOutput);
}

/** `npm run seed -- <line>` in this process. */
export function seed(env: Env, line = ''): Promise<ToolRun> {
  return run(createSeedTool(env), env, line);
}

async function run<Command extends { readonly name: string }>(
  tool: Tool<Command>,
  env: Env,
  line: string,
  onOutput: OnOutput = () => undefined,
): Promise<ToolRun> {
  const output = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof output): never =>
    ({
      write: (text: string, onWritten?: () => void) => {
        output[name] += text;
        void Promise.resolve(onOutput(name, text)).then(onWritten);
      },
      on: () => undefined,
    }) as never;
  const argv = ['node', 'tool', ...line.split(' ').filter((word) => word !== '')];
  const code = await runTool(tool, { argv, env, stdout: stream('stdout'), stderr: stream('stderr') });
  return { code, ...output };
}

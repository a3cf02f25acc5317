import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stride, type LoadOptions, type LoadResult } from './load-options';
import { sampleRegistration } from './sample-registration';

const run = promisify(execFile);
const placeholder = '@@';

/** The version of the wrk on the PATH; undefined when there is none. */
export async function findWrk(): Promise<string | undefined> {
  try {
    // Exits with 1, after the version and its usage.
    await run('wrk', ['--version']);
    return 'wrk';
  } catch (error) {
    const { code, stdout = '' } = error as { code?: unknown; stdout?: string };
    return code === 'ENOENT' ? undefined : (/^wrk \S+/.exec(stdout)?.[0] ?? 'wrk');
  }
}

/** Sends as fast as responses come: wrk knows no rate. */
export async function runWrk(options: LoadOptions): Promise<LoadResult> {
  const { url, seconds, connections } = options;
  const flags = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`];
  const script = ['--timeout', '10s', '--script', join(__dirname, 'wrk.lua')];
  const { stdout } = await run('wrk', [...flags, ...script, url, '--', ...scriptArguments(options)]);
  const report = stdout.trimEnd().split('\n').at(-1) ?? '';
  const {
    seconds: lasted,
    responses,
    non2xx,
    failed,
    p50Ms,
    p99Ms,
  } = JSON.parse(report) as Record<string, number>;
  return {
    requestsPerSecond: Number(responses) / Number(lasted),
    p50Ms: Number(p50Ms),
    p99Ms: Number(p99Ms),
    good: Number(responses) - Number(non2xx),
    bad: Number(non2xx) + Number(failed),
  };
}

/**
 * The kind of requests, then the text before and after the number of a request, then how many numbers there are and how
 * to go through them; or else the paths.
 */
function scriptArguments({ url, emailPrefix, emails, paths }: LoadOptions): string[] {
  if (emailPrefix !== undefined) {
    const body = JSON.stringify(sampleRegistration(`${emailPrefix}-${placeholder}@example.com`));
    const [before = '', after = ''] = body.split(placeholder);
    return ['post', before, after];
  }
  if (emails !== undefined) {
    const numbers = [emails.count, randomInt(emails.count), stride].map(String);
    return ['each', `/${emails.prefix}-`, `@example.com${emails.path ?? ''}`, ...numbers];
  }
  const { pathname, search } = new URL(url);
  return ['paths', ...(paths ?? [pathname + search])];
}

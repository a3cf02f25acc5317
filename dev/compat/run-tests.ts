import { mkdir, readFile, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { OwnedProcess } from '../local-stack/owned-process';
import { checkoutDir, localDir } from '../local-stack/paths';
import { withLog } from '../local-stack/server-log';
import { variantVariable } from '../local-stack/variant';
import type { Prepared } from './targets';

/** Of what Jest writes with `--json`. */
interface JestResults extends Readonly<
  Record<'numPassedTests' | 'numFailedTests' | 'numTotalTests', number>
> {
  readonly testResults: readonly { readonly name: string }[];
}

const timeoutMs = 20 * 60_000;
const stopTimeoutMs = 15_000;

/**
 * Runs the test files that match these patterns on a variant of the servers or by another Node.js, for 20 minutes at most:
 * resolves to the number of tests that passed, or says what failed; each pattern has to match a file. Jest's output is in
 * `.local/compat/`, in the log of this name.
 */
export async function runTests(
  name: string,
  files: readonly string[],
  { node = process.execPath, variant = {} }: Prepared,
): Promise<{ readonly passed: number } | { readonly failed: string }> {
  const folder = join(localDir, 'compat');
  const [log, results] = [join(folder, `${name}.log`), join(folder, `${name}.json`)];
  await mkdir(folder, { recursive: true });
  await Promise.all([log, results].map((file) => rm(file, { force: true })));
  const jest = join(checkoutDir, 'node_modules/jest/bin/jest.js');
  const options = ['--selectProjects', 'unit', 'service', '--json', '--outputFile', results];
  const env = {
    ...process.env,
    // For what the tests start by its name.
    PATH: [dirname(node), process.env['PATH']].join(delimiter),
    [variantVariable]: JSON.stringify(variant),
  };
  const command = { file: node, args: [jest, ...files, ...options], cwd: checkoutDir, env };
  const run = await withLog(log, (output) => OwnedProcess.start(command, ['ignore', 'ignore', output]));
  const limit = setTimeout(() => void run.stop('SIGTERM', stopTimeoutMs), timeoutMs);
  const code = await run.exited.finally(() => clearTimeout(limit));

  const json = await readFile(results, 'utf8').catch(() => undefined);
  if (json === undefined) return { failed: 'the servers did not start, or the tests did not end' };
  const { testResults, ...counts } = JSON.parse(json) as JestResults;
  if (code !== 0) return { failed: `${counts.numFailedTests} of ${counts.numTotalTests} tests` };
  const missing = files.filter((file) => !testResults.some(({ name }) => new RegExp(file).test(name)));
  return missing.length > 0 ? { failed: `no test in ${missing.join()}` } : { passed: counts.numPassedTests };
}

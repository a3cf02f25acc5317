import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LocalStackError } from '../local-stack/local-stack-error';
import { checkoutDir } from '../local-stack/paths';
import { onStopSignals } from '../stop-signals';
import { findHint } from './find-hint';
import { runTests } from './run-tests';
import { type Target, targets } from './targets';

const document = join(checkoutDir, 'docs', 'compatibility.md');
const endpoints = ['post-users', 'get-users', 'status', 'health', 'erase-users'];
const core = ['contracts', ...endpoints.map((name) => `api/${name}`), 'reliability/consumer'];
// The fewest that say whether the service and a server understand each other.
const short = ['contracts', 'api/status'];

const nameOf = ({ server, version }: Target): string => `${server} ${version}`;

/**
 * `npm run compat`: tries other versions of Node.js and the servers, one at a time, and writes what it saw into
 * docs/compatibility.md. `--only TEXT`: those whose name contains it. `--short`: the fewest tests; writes nothing.
 */
async function runCompat(): Promise<void> {
  // The child processes end with this one.
  onStopSignals(
    () => process.exit(130),
    () => process.exit(130),
  );
  const { values } = parseArgs({
    options: { only: { type: 'string', default: '' }, short: { type: 'boolean', default: false } },
  });
  const chosen = targets.filter((target) => nameOf(target).toLowerCase().includes(values.only.toLowerCase()));
  if (chosen.length === 0) throw new LocalStackError(`One of: ${targets.map(nameOf).join(', ')}`);

  const rows: string[] = [];
  let isOk = true;
  for (const target of chosen) {
    console.log(`${nameOf(target)}: started`);
    const startedAt = Date.now();
    try {
      const result = await tryTarget(target, values.short);
      console.log(`${nameOf(target)}: ${result} (${Math.round((Date.now() - startedAt) / 1000)} s)`);
      isOk &&= !result.startsWith('FAILED');
      const start = `| ${target.server} | ${target.version} |`;
      const row = `${start} ${result} | ${new Date().toISOString().slice(0, 10)} |`;
      rows.push(row);
      if (!values.short) await replaceRow(start, row);
    } catch (error) {
      if (!(error instanceof LocalStackError)) throw error;
      console.log(`${nameOf(target)}: could not be tried: ${error.message}`);
      isOk = false;
    }
  }
  console.log(['', ...rows].join('\n'));
  process.exit(isOk ? 0 : 1);
}

async function tryTarget(target: Target, isShort: boolean): Promise<string> {
  const prepared = await target.prepare();
  if (target.isRefused && target.dependency) {
    const hint = await findHint(target.dependency, prepared.variant ?? {});
    const isRefused = hint?.includes(' must be version ') === true;
    return isRefused ? `refused: “${hint}”` : `FAILED: ${hint ?? 'not refused'}`;
  }
  const usual = [...core, `reliability/${target.dependency ?? '.*'}-outage`, ...(target.alsoFiles ?? [])];
  const chosen = isShort ? short : usual;
  const files = chosen.map((each) => `tests/${each}`);
  const result = await runTests(nameOf(target).replace(/\W+/g, '-'), files, prepared);
  if ('failed' in result) return `FAILED: ${result.failed}`;
  return `${result.passed} tests passed${prepared.version ? ` (${prepared.version})` : ''}`;
}

async function replaceRow(start: string, row: string): Promise<void> {
  const lines = (await readFile(document, 'utf8')).split('\n');
  await writeFile(document, lines.map((line) => (line.startsWith(start) ? row : line)).join('\n'));
}

runCompat().catch((error: unknown) => {
  console.error(error instanceof LocalStackError ? error.message : error);
  process.exit(1);
});

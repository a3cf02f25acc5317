import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { localDir } from '../local-stack/paths';
import type { Outcome } from './outcome';

const shownDetails = 3;
const columns = [
  'posts',
  '201',
  '409',
  '503',
  'cut',
  'erased',
  'worstMs',
  'readyMs',
  'drainedMs',
  'rows',
  'deadLetters',
  'asked',
];

/** The folder for a scenario's logs and violations. */
export function folderOf(scenario: string): string {
  return join(localDir, 'faults', scenario);
}

/** One line that is rewritten in a terminal; elsewhere nothing, since progress would only fill the log. */
export function showProgress(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
}

/** Writes every violation with its emails to a file; resolves to its path, or undefined without violations. */
export async function keepViolations({ scenario, violations }: Outcome): Promise<string | undefined> {
  if (violations.length === 0) return undefined;
  const path = join(folderOf(scenario), 'violations.json');
  await mkdir(folderOf(scenario), { recursive: true });
  await writeFile(path, JSON.stringify(violations, undefined, 2));
  return path;
}

/** Writes all results so far as JSON, for a run that is interrupted. */
export async function keepResults(outcomes: readonly Outcome[]): Promise<void> {
  await writeFile(join(localDir, 'faults', 'results.json'), JSON.stringify(outcomes, undefined, 2));
}

/** One line, followed by the violations. */
export function formatOutcome({ scenario, violations }: Outcome, kept: string | undefined): string {
  const verdict = violations.length === 0 ? 'ok' : 'BROKEN';
  const lines = violations.flatMap(({ invariant, count, details }) => [
    `    broken ${count} times: ${invariant}`,
    ...details.slice(0, shownDetails).map((detail) => `        ${detail}`),
  ]);
  const start = process.stdout.isTTY ? '\r\x1b[K' : '';
  return [
    `${start}${verdict.padEnd(7)} ${scenario}`,
    ...lines,
    ...(kept ? [`    all of them: ${kept}`] : []),
  ].join('\n');
}

/** All scenarios with their figures. */
export function formatTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ scenario, violations, figures }) => [
    scenario,
    violations.length === 0 ? 'ok' : 'BROKEN',
    ...columns.map((name) => String(figures[name] ?? '')),
    figures['memoryRatio']?.toFixed(2) ?? '',
  ]);
  const table = [['scenario', 'result', ...columns, 'memory'], ...rows];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const format = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  const broken = outcomes.filter(({ violations }) => violations.length > 0).length;
  return [...table.map(format), '', `${outcomes.length - broken} ok, ${broken} broken`].join('\n');
}

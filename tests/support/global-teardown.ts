import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { unseenAnswers } from './api-document';

/** Of what Jest was asked for: which tests are run at all. */
interface Run {
  readonly testPathPatterns: { readonly patterns: readonly string[] };
  readonly testNamePattern?: string;
  readonly shard?: object;
}

/**
 * Stops what global-setup.ts started; its data go with it. When all tests were run, and not some, each answer that the
 * OpenAPI document promises must have been seen in one of them.
 */
export default async function globalTeardown(run: Run): Promise<void> {
  await globalThis.testStack?.kill();
  const file = process.env['ANSWERS_SEEN'] ?? '';
  const seen = new Set(readFileSync(file, 'utf8').split('\n'));
  rmSync(dirname(file), { recursive: true });
  if (run.testPathPatterns.patterns.length > 0 || run.testNamePattern || run.shard) return;
  const unseen = unseenAnswers(seen);
  if (unseen.length > 0) throw new Error(`No test has met these answers:\n${unseen.join('\n')}`);
}

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config';
import { applyMigrations } from '../../src/postgres/migrations';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { TEMPLATE_DATABASE } from './test-servers';

declare global {
  // Handed from here to global-teardown.ts, which Jest loads in the same process.
  var testStack: LocalStack | undefined;
}

/** Starts the real servers once for all test files, with throw-away data, and migrates the template database. */
export default async function globalSetup(): Promise<void> {
  const stack = await startLocalStack({
    services: ['postgres', 'redis', 'kafka'],
    database: TEMPLATE_DATABASE,
    report: () => undefined,
  });
  globalThis.testStack = stack;
  await applyMigrations(loadConfig(stack.env).postgres, () => undefined);
  // What the watch-answers.ts of each test file has seen, for global-teardown.ts.
  const answersSeen = join(mkdtempSync(join(tmpdir(), 'answers-')), 'seen');
  writeFileSync(answersSeen, '');
  process.env['ANSWERS_SEEN'] = answersSeen;
  process.env['TEST_SERVERS'] = JSON.stringify(stack.env);
}

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config';
import { applyMigrations } from '../../src/postgres/migrations';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { TEMPLATE_DATABASE, withoutPooler } from './test-servers';

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
  // A pooler would keep its connection, and no database with one can be a template.
  await applyMigrations(loadConfig(withoutPooler(stack.env)).postgres, () => undefined);
  // What the watch-answers.ts of each test file has seen, for global-teardown.ts.
  const answersSeen = join(mkdtempSync(join(tmpdir(), 'answers-')), 'seen');
  writeFileSync(answersSeen, '');
  process.env['ANSWERS_SEEN'] = answersSeen;
  process.env['TEST_SERVERS'] = JSON.stringify(stack.env);
}

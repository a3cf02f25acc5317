import dotenv from 'dotenv';
import { ConfigError, loadConfig } from './config/config';
import { errorLine } from './observability/describe-error';
import { applyMigrations } from './postgres/migrations';

/** `npm run migrate`: applies the pending migrations and exits; 1 with one line when it cannot. */
async function migrate(): Promise<void> {
  const config = loadConfig(process.env);
  const applied = await applyMigrations(config.postgres, () => undefined);
  process.stdout.write(
    applied.length > 0 ? `Applied: ${applied.join(', ')}\n` : 'Nothing to apply: up to date\n',
  );
}

dotenv.config({ quiet: true });
migrate().catch((error: unknown) => {
  const problem = error instanceof ConfigError ? error.message : `Cannot migrate: ${errorLine(error)}`;
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
});

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import dotenv from 'dotenv';
import { devDataDir, findDevServers } from './dev-settings';
import { checkoutDir } from './local-stack/paths';

/**
 * `tsx dev/with-dev-servers.ts <entry point> [arguments]`: runs a tool on the servers of this checkout's `npm run dev`,
 * unless the environment or `.env` names others.
 */
async function runWithDevServers(): Promise<void> {
  dotenv.config({ path: join(checkoutDir, '.env'), quiet: true });
  Object.assign(process.env, await findDevServers(process.env, devDataDir));
  // A process of its own: a tool only starts where it is the main module.
  const args = [...process.execArgv, ...process.argv.slice(2)];
  const tool = spawn(process.execPath, args, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tool.kill(signal));
  tool.on('exit', (code) => process.exit(code ?? 1));
}

void runWithDevServers();

import { join, resolve } from 'node:path';
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
  const [entryPoint = ''] = process.argv.splice(2, 1);
  await import(resolve(entryPoint));
}

void runWithDevServers();

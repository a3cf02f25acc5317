import { join } from 'node:path';
import dotenv from 'dotenv';
import { runTool } from '../../src/cli/run-tool';
import { devDataDir, findDevServers } from '../dev-settings';
import { checkoutDir } from '../local-stack/paths';
import { createSeedTool } from './seed-tool';

/** `npm run seed`: made-up users for the database of `npm run dev`. */
async function runSeed(): Promise<void> {
  dotenv.config({ path: join(checkoutDir, '.env'), quiet: true });
  const env = { ...process.env, ...(await findDevServers(process.env, devDataDir)) };
  const { argv, stdout, stderr } = process;
  process.exit(await runTool(createSeedTool(env), { argv, env, stdout, stderr }));
}

void runSeed();

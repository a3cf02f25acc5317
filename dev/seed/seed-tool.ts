import type { Tool } from '../../src/tools/run-tool';
import { parseSeedArguments, SEED_HELP, type SeedCommand } from './seed-arguments';
import { seedUsers } from './seed-users';

/** `npm run seed` with these variables. Without DB_HOST it fails: the default, localhost, may be any database. */
export function createSeedTool(env: NodeJS.ProcessEnv): Tool<SeedCommand> {
  return {
    help: SEED_HELP,
    parse: parseSeedArguments,
    run: async (command, config, terminal) => {
      if (!env['DB_HOST']) throw new Error('start npm run dev in this checkout first, or set DB_HOST');
      await seedUsers(command, config, terminal);
    },
  };
}

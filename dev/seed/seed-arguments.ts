import { parseOptions, UsageError } from '../../src/tools/run-tool';

/** What `seed` was asked to do. */
export interface SeedCommand {
  readonly name: 'seed';
  readonly users: number;
}

const DEFAULT_USERS = '10000';
const MAX_USERS = 5_000_000;

export const SEED_HELP = `Usage: npm run seed -- [--users <count>]

Fills the database with made-up users. The same count gives the same users: a second run adds none, a larger count only
what is missing, and existing users stay as they are.

  --users <count>  how many, 1 to ${MAX_USERS} (${DEFAULT_USERS})

The database is the one that DB_HOST names (environment or .env), else that of this checkout's \`npm run dev\`.
Exit code: 0, 1 when it failed, 2 when the command line is wrong.`;

/** Throws UsageError. */
export function parseSeedArguments(args: string[]): SeedCommand {
  const { values, positionals } = parseOptions(args, { users: { type: 'string', default: DEFAULT_USERS } });
  // Without the --, npm keeps the option to itself and passes on its value.
  if (positionals.length > 0) throw new UsageError('write npm run seed -- --users 10000, with both --');
  return { name: 'seed', users: parseUsers(values.users) };
}

function parseUsers(text: string): number {
  const users = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (users >= 1 && users <= MAX_USERS) return users;
  throw new UsageError(`--users must be a whole number from 1 to ${MAX_USERS}`);
}

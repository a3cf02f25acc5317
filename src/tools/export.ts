import { setTimeout } from 'node:timers/promises';
import type { Config } from '../config/config';
import { UnavailableError, ValidationError } from '../domain/errors';
import { encodeCursor, PAGE_LIMIT, parsePage, type PageRequest } from '../domain/pagination';
import type { User } from '../domain/stored-user';
import { abortOnSignal } from '../runtime/signals';
import type { Users, UsersPage } from '../services/ports/stores';
import { withUsers } from './clients';
import { CSV_HEADER, csvLine } from './csv';
import { parseOptions, plural, startTool, UsageError, type Tool } from './run-tool';
import type { Terminal } from './terminal';

/** A parsed `export` command line. */
interface ExportCommand {
  readonly name: 'export';
  /** The first page. */
  readonly page: PageRequest;
  /** Before the first user; empty where an export goes on. */
  readonly header: string;
  /** A user as a line, its end included. */
  readonly toLine: (user: User) => string;
}

const GIVE_UP_MS = 10_000;
const RETRY_MS = 500;
const TEXT = { type: 'string' } as const;
const HELP = `Usage: npm run --silent export -- [options] > users.ndjson        (in the image: node dist/tools/export.js [options])

Writes all users to stdout, WITH personal data, newest first.

  --format ndjson|csv      ndjson, as the API returns them (the default), or CSV with a header line
  --created-from <time>    only those created at this time or later (ISO 8601 with a zone: 2026-11-01T00:00:00Z)
  --created-before <time>  only those created before this time
  --cursor <cursor>        goes on where an export stopped; in CSV without the header line
  --raw                    CSV for programs: cells that a spreadsheet would take for a formula get no ' in front

When it stops, stderr has the cursor to go on from, with the same options and >> for >.
Settings come from the environment and .env, as for the service. Exit code: 0, 1 when it failed, 2 when the command line is wrong.`;

/** `npm run export`: all users, for operators. It stops after a page when `stop` is aborted. */
export function createExport(stop: AbortSignal): Tool<ExportCommand> {
  return {
    help: HELP,
    parse,
    run: (command, config, terminal) => run(command, config, terminal, stop),
  };
}

function parse(args: string[]): ExportCommand {
  const { values, positionals } = parseOptions(args, {
    format: { ...TEXT, default: 'ndjson' },
    'created-from': TEXT,
    'created-before': TEXT,
    cursor: TEXT,
    raw: { type: 'boolean', default: false },
  });
  const { format, cursor, raw } = values;
  if (positionals.length > 0) throw new UsageError('export takes only options');
  if (!['ndjson', 'csv'].includes(format)) throw new UsageError('--format must be ndjson or csv');
  if (raw && format !== 'csv') throw new UsageError('--raw needs --format csv');
  const window = { created_from: values['created-from'], created_before: values['created-before'] };
  const page = parsePlace({ ...window, cursor, limit: String(PAGE_LIMIT.max) });
  if (format === 'ndjson') return { name: 'export', page, header: '', toLine: ndjsonLine };
  const header = cursor === undefined ? CSV_HEADER : '';
  return { name: 'export', page, header, toLine: (user) => csvLine(user, raw) };
}

function parsePlace(query: object): PageRequest {
  try {
    return parsePage(query);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const [rule] = error.brokenRules;
    throw new UsageError(`--${rule?.message.replace('_', '-') ?? ''}`, { cause: error });
  }
}

function ndjsonLine(user: User): string {
  return `${JSON.stringify(user)}\n`;
}

async function run(
  { page, header, toLine }: ExportCommand,
  config: Config,
  terminal: Terminal,
  stop: AbortSignal,
) {
  let request = page;
  let exported = 0;
  await terminal.data(header);
  await withUsers(config, async (users) => {
    for (;;) {
      const { users: rows, next } = await readPage(users, request, terminal, stop).catch((error: unknown) => {
        if (request.after)
          terminal.note(
            `${plural(exported, 'user')} exported; --cursor ${encodeCursor(request.after)} goes on`,
          );
        throw error;
      });
      await terminal.data(rows.map(toLine).join(''));
      exported += rows.length;
      if (next === undefined) break;
      request = { ...request, after: next };
      terminal.progress(`${plural(exported, 'user')} exported, up to --cursor ${encodeCursor(next)}`);
    }
  });
  terminal.note(`${plural(exported, 'user')} exported`);
}

/** Tries for 10 s. Throws UnavailableError, and Error when it is to stop. */
async function readPage(
  users: Pick<Users, 'list'>,
  request: PageRequest,
  terminal: Terminal,
  stop: AbortSignal,
): Promise<UsersPage> {
  const giveUpAt = performance.now() + GIVE_UP_MS;
  for (;;) {
    if (stop.aborted) throw new Error('stopped by a signal');
    try {
      return await users.list(request);
    } catch (error) {
      if (!(error instanceof UnavailableError) || performance.now() > giveUpAt) throw error;
    }
    terminal.progress('PostgreSQL is unavailable, trying again');
    await setTimeout(RETRY_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

if (require.main === module) startTool(createExport(abortOnSignal()));

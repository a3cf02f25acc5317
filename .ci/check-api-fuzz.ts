import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilStatus, withBuiltService } from './built-service';

const reports = '.local/api-fuzz';

interface Exchange {
  readonly request: { readonly method: string };
  readonly response: { readonly status: number; readonly content: { readonly text?: string } };
}

const KEY = 'only-for-this-check';
/** Erasing takes a key that schemathesis never has; without any the document's DELETE would not exist. */
const ADMIN_KEY = 'of-nobody';
const EXAMPLES = 400;
// Sixty to eighty are usual (.ci/schemathesis_hooks.py sees to it): fewer, and it is refusals that were tested.
const FEWEST_REGISTRATIONS = 20;

/** Runs schemathesis with all checks and without a key; then reads every user that was answered 201, with it. */
async function fuzz(port: number, examples: number, key?: string): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const headers = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  await schemathesis(url, examples);

  const refused = exchanges().filter(
    ({ request, response }) => request.method !== 'DELETE' && response.status === 401,
  ).length;
  if (refused > 0 !== (key !== undefined)) throw new Error(`${refused} requests were answered 401`);
  const emails = registeredEmails();
  if (emails.size < FEWEST_REGISTRATIONS)
    throw new Error('next to nothing was registered: next to nothing was tested');
  for (const email of emails)
    await untilStatus(`${url}/api/users/${encodeURIComponent(email)}`, 200, headers);
  console.log(`ok  the ${emails.size} emails that were answered 201 have rows`);
}

async function schemathesis(url: string, examples: number): Promise<void> {
  const dir = process.env['SCHEMATHESIS_DIR'] ?? '';
  // As far as can be the same requests each time: a change is to blame for what a run finds, not luck.
  const options = [
    '--checks=all',
    `--max-examples=${examples}`,
    '--seed=1',
    '--workers=1',
    '--report=har',
    '--no-color',
  ];
  const run = spawn(
    join(dir, 'bin', 'st'),
    [
      '--config-file=.ci/schemathesis.toml',
      'run',
      `${url}/api/openapi.json`,
      ...options,
      `--report-har-path=${reports}/exchanges.har`,
    ],
    {
      env: {
        ...process.env,
        PYTHONPATH: `${dir}:.ci`,
        PYTHONDONTWRITEBYTECODE: '1',
        SCHEMATHESIS_HOOKS: 'schemathesis_hooks',
      },
      stdio: 'inherit',
    },
  );
  const [code] = (await once(run, 'exit')) as [number | null];
  if (code !== 0) throw new Error('schemathesis found something: see above');
}

function exchanges(): Exchange[] {
  const { log } = JSON.parse(readFileSync(`${reports}/exchanges.har`, 'utf8')) as {
    log: { entries: Exchange[] };
  };
  return log.entries;
}

function registeredEmails(): Set<string> {
  const accepted = exchanges().filter(
    ({ request, response }) => request.method === 'POST' && response.status === 201,
  );
  return new Set(
    accepted.map(({ response }) => (JSON.parse(response.content.text ?? '') as Accepted).data.email),
  );
}

interface Accepted {
  readonly data: { readonly email: string };
}

const digestOf = (key: string): string => createHash('sha256').update(key).digest('hex');

const settings = {
  RATE_LIMIT_MAX: '1000000000',
  LOG_LEVEL: 'error',
  ADMIN_API_KEYS: `admin:${digestOf(ADMIN_KEY)}`,
};

async function main(): Promise<void> {
  await withBuiltService((_service, port) => fuzz(port, EXAMPLES), settings);
  // Once more where reading needs a key, which schemathesis has not: the answer to any read is 401.
  await withBuiltService((_service, port) => fuzz(port, EXAMPLES, KEY), {
    ...settings,
    API_KEYS: `fuzz:${digestOf(KEY)}`,
  });
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

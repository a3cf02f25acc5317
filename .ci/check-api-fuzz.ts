import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilStatus, withBuiltService } from './built-service';

const reports = '.local/api-fuzz';

interface Exchange {
  readonly request: { readonly method: string };
  readonly response: { readonly status: number; readonly content: { readonly text?: string } };
}

/** Runs schemathesis with all checks; then reads every user that was answered 201. */
async function fuzz(port: number): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const dir = process.env['SCHEMATHESIS_DIR'] ?? '';
  const options = [
    '--checks=all',
    '--max-examples=300',
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

  const emails = registeredEmails();
  if (emails.size < 20) throw new Error('next to nothing was registered: next to nothing was tested');
  for (const email of emails) await untilStatus(`${url}/api/users/${encodeURIComponent(email)}`, 200);
  console.log(`ok  the ${emails.size} e-mails that were answered 201 have rows`);
}

function registeredEmails(): Set<string> {
  const { log } = JSON.parse(readFileSync(`${reports}/exchanges.har`, 'utf8')) as {
    log: { entries: Exchange[] };
  };
  const accepted = log.entries.filter(
    ({ request, response }) => request.method === 'POST' && response.status === 201,
  );
  return new Set(
    accepted.map(({ response }) => (JSON.parse(response.content.text ?? '') as Accepted).data.email),
  );
}

interface Accepted {
  readonly data: { readonly email: string };
}

withBuiltService((_service, port) => fuzz(port), { RATE_LIMIT_MAX: '1000000000', LOG_LEVEL: 'error' }).catch(
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { type LocalStack, startLocalStack } from '../dev/local-stack/local-stack';
import { chooseFreePort } from '../dev/local-stack/ports';
import { scripts } from '../package.json';

/** How long anything may take. */
export const deadlineMs = 60_000;
const pauseMs = 200;

/** Runs `check` while the built service (`npm start`) is ready, with these variables, on real servers of its own. */
export async function withBuiltService(
  check: (service: ChildProcess, port: number, stack: LocalStack) => Promise<void>,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const stack = await startLocalStack({ services: ['postgres', 'redis', 'kafka'], report: console.log });
  const port = await chooseFreePort();
  // What `npm start` runs, without npm: it would not pass SIGTERM on to the service.
  const service = spawn('sh', ['-c', `exec ${scripts.start}`], {
    env: {
      ...process.env,
      ...stack.env,
      PORT: String(port),
      METRICS_PORT: '0',
      NODE_ENV: 'production',
      ...variables,
    },
    stdio: 'inherit',
  });
  try {
    await untilStatus(`http://127.0.0.1:${port}/api/health/ready`, 200);
    await check(service, port, stack);
  } finally {
    service.kill('SIGKILL');
    await stack.stop();
  }
}

/** Resolves when a GET is answered with this status. */
export async function untilStatus(
  url: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  let last = 'no answer';
  while (Date.now() < giveUpAt) {
    try {
      const answer = await fetch(url, { headers });
      if (answer.status === status) return;
      last = `${answer.status} ${await answer.text()}`;
    } catch (error) {
      last = String(error);
    }
    await delay(pauseMs);
  }
  throw new Error(`${url} did not answer ${status}: ${last}`);
}

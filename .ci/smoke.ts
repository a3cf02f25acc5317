import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { startLocalStack } from '../dev/local-stack/local-stack';
import { chooseFreePort } from '../dev/local-stack/ports';
import { scripts } from '../package.json';

const deadlineMs = 60_000;
const pauseMs = 200;

const registration = {
  firstName: 'Smoke',
  lastName: 'Run',
  email: 'smoke.run@example.com',
  gender: 'prefer-not-to-say',
  sex: 'intersex',
  occupation: 'Canary',
};

/** Runs the built service (`npm start`) on real servers: a registration goes in, a row comes out, SIGTERM ends it with 0. */
async function smokeRun(): Promise<void> {
  const stack = await startLocalStack({ services: ['postgres', 'redis', 'kafka'], report: console.log });
  const port = await chooseFreePort();
  // What `npm start` runs, without npm: it would not pass SIGTERM on to the service.
  const service = spawn('sh', ['-c', `exec ${scripts.start}`], {
    env: { ...process.env, ...stack.env, PORT: String(port), METRICS_PORT: '0', NODE_ENV: 'production' },
    stdio: 'inherit',
  });
  try {
    await checkService(service, `http://127.0.0.1:${port}`);
    console.log('smoke run passed');
  } finally {
    service.kill('SIGKILL');
    await stack.stop();
  }
}

async function checkService(service: ChildProcess, url: string): Promise<void> {
  await untilStatus(`${url}/api/health/ready`, 200);
  const posted = await fetch(`${url}/api/users`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(registration),
  });
  if (posted.status !== 201) throw new Error(`POST answered ${posted.status}: ${await posted.text()}`);
  await untilStatus(`${url}/api/users/${registration.email}`, 200);

  service.kill('SIGTERM');
  const [code] = (await once(service, 'exit', { signal: AbortSignal.timeout(deadlineMs) })) as [
    number | null,
  ];
  if (code !== 0) throw new Error(`SIGTERM ended the service with ${code ?? 'a signal'}`);
}

async function untilStatus(url: string, status: number): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  let last = 'no answer';
  while (Date.now() < giveUpAt) {
    try {
      const answer = await fetch(url);
      if (answer.status === status) return;
      last = `${answer.status} ${await answer.text()}`;
    } catch (error) {
      last = String(error);
    }
    await delay(pauseMs);
  }
  throw new Error(`${url} did not answer ${status}: ${last}`);
}

smokeRun().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

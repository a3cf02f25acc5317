import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { deadlineMs, untilStatus, withBuiltService } from './built-service';

const registration = {
  firstName: 'Smoke',
  lastName: 'Run',
  email: 'smoke.run@example.com',
  gender: 'prefer-not-to-say',
  sex: 'intersex',
  occupation: 'Canary',
};

/** Runs the built service on real servers: a registration goes in, a row comes out, SIGTERM ends it with 0. */
async function smokeRun(service: ChildProcess, port: number): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
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
  console.log('smoke run passed');
}

withBuiltService(smokeRun).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

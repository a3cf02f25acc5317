import { eventually } from '../../dev/faults/eventually';
import { ask } from '../../dev/faults/http-client';
import { startLocalStack } from '../../dev/local-stack/local-stack';
import { chooseFreePort } from '../../dev/local-stack/ports';
import { buildRegistration } from '../../tests/support/builders';
import { sql, type Env } from '../../tests/support/test-servers';
import { contentProblems, sizeMb } from './contents';
import { Pod } from './pod';
import { asInTheDeployment, asVariables, deployment, podman } from './podman';
import { rollingUpdate } from './rolling-update';

const [image = '', plantedImage = '', baseImage = ''] = process.argv.slice(2);
const { spec } = deployment.template;
const startLimitSeconds = 60;

/** Checks the built image: what is in it, and that it serves on real servers under the Deployment's rules. */
async function checkImage(): Promise<void> {
  await step('what is in the image', () => contentProblems(image));
  await step('a planted image is refused', refusesPlanted);
  console.log(`    ${image}: ${await sizeMb(image)} MB, its base ${await sizeMb(baseImage)} MB`);

  const stack = await startLocalStack({ services: ['postgres', 'redis', 'kafka'], report: console.log });
  const env = { ...stack.env, METRICS_PORT: '0', NODE_ENV: 'production' };
  try {
    await step('the migration, on an empty database', () => migrates(env));
    await sql(env, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await step('a registration goes through', () => serves({ ...env, KAFKA_EVENTS_TOPIC: 'user-events' }));
    await sql(env, 'TRUNCATE users');
    await step('a rolling update under load', async () => {
      const { problems, figures } = await rollingUpdate(image, env);
      console.log(`    ${figures}`);
      return problems;
    });
  } finally {
    await stack.stop();
  }
}

async function refusesPlanted(): Promise<string[]> {
  const found = (await contentProblems(plantedImage)).join('; ');
  return ['the user is', 'programs: sh']
    .filter((problem) => !found.includes(problem))
    .map((problem) => `"${problem}" was not found`);
}

async function migrates(env: Env): Promise<string[]> {
  const flags = ['--rm', '--no-healthcheck', ...asInTheDeployment(), ...asVariables(env)];
  const { code, output } = await podman('run', ...flags, image, 'dist/migrate.js');
  return code === 0 ? [] : [output];
}

/** With its default settings: the schema and the topics come by themselves. */
async function serves(env: Env): Promise<string[]> {
  const pod = await Pod.start(image, 'check-image', { ...env, PORT: String(await chooseFreePort()) });
  try {
    const registration = buildRegistration();
    await eventually('ready', startLimitSeconds, async () => (await get(pod, '/api/health/ready')) === 200);
    const posted = await ask(`${pod.url}/api/users`, 10_000, registration);
    if (posted.status !== 201) return [`POST answered ${posted.status}: ${posted.body}`];
    const path = `/api/users/${registration.email}`;
    await eventually('the row', startLimitSeconds, async () => (await get(pod, path)) === 200);

    const healthCheck = await pod.healthCheck();
    const toolProblems: string[] = [];
    for (const line of ['dlq list', `privacy show ${registration.email}`, 'export', 'events backfill']) {
      const [tool = '', ...args] = line.split(' ');
      const { code, output } = await pod.exec('/nodejs/bin/node', `dist/tools/${tool}.js`, ...args);
      if (code !== 0) toolProblems.push(`${tool}: ${output}`);
    }
    const shell = await pod.exec('sh', '-c', 'true');
    const stopped = await pod.terminate(spec.terminationGracePeriodSeconds);
    console.log(`    stopped in ${stopped.seconds.toFixed(1)} s`);
    return [
      healthCheck.code === 0 ? '' : `HEALTHCHECK: ${healthCheck.output}`,
      ...toolProblems,
      shell.code === 0 ? 'there is a shell' : '',
      stopped.code === 0 ? '' : `SIGTERM ended it with ${stopped.code}`,
    ].filter(Boolean);
  } catch (error) {
    return [`${String(error)}\n${await pod.logs()}`];
  } finally {
    await pod.remove();
  }
}

async function get({ url }: Pod, path: string): Promise<number> {
  return (await ask(`${url}${path}`, 5000)).status;
}

async function step(what: string, run: () => Promise<readonly string[]>): Promise<void> {
  const startedAt = performance.now();
  const problems = await run();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  if (problems.length > 0) throw new Error(`${what}:\n  ${problems.join('\n  ')}`);
  console.log(`ok  ${what} (${seconds} s)`);
}

checkImage().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

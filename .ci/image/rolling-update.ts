import { setTimeout as sleep } from 'node:timers/promises';
import { Balancer } from '../../dev/faults/balancer';
import { eventually } from '../../dev/faults/eventually';
import { ask } from '../../dev/faults/http-client';
import { inspected, readDeadLetters, readRows } from '../../dev/faults/inspect';
import { findViolations } from '../../dev/faults/invariants';
import { Journal } from '../../dev/faults/journal';
import { Random } from '../../dev/faults/random';
import { askAboutRows } from '../../dev/faults/stored-emails';
import { Traffic } from '../../dev/faults/traffic';
import { chooseFreePort } from '../../dev/local-stack/ports';
import { lag } from '../../tests/support/kafka-tools';
import type { Env } from '../../tests/support/test-servers';
import { Pod } from './pod';
import { deployment } from './podman';

const replicas = 2;
const perSecond = 100;
const steadySeconds = 5;
// How long a load balancer goes on sending requests to a pod that is being taken away.
const noticeSeconds = 5;
const patienceSeconds = 30;

const { spec } = deployment.template;
const preStopSeconds = spec.containers[0].lifecycle?.preStop.sleep.seconds ?? 0;

export interface Update {
  readonly problems: readonly string[];
  readonly figures: string;
}

/** Replaces every pod as the Deployment's rules say, under load: no request may fail, no registration be lost. */
export async function rollingUpdate(image: string, env: Env): Promise<Update> {
  const journal = new Journal();
  const balancer = new Balancer();
  const traffic = new Traffic({ balancer, journal, random: new Random(1), perSecond });
  const pods: Pod[] = [];
  const all: Pod[] = [];
  const problems: string[] = [];
  const add = async (): Promise<Pod> => {
    const pod = await startPod(image, `rolling-update-${all.length + 1}`, env);
    all.push(pod);
    await eventually(`${pod.name} is ready`, patienceSeconds, () => isReady(pod));
    pods.push(pod);
    return pod;
  };
  try {
    for (let count = 0; count < replicas; count += 1) await add();
    balancer.start(pods);
    traffic.start();
    await sleep(steadySeconds * 1000);
    // maxUnavailable 0: a new pod is there, and has been ready for a while, before an old one goes.
    for (const old of [...pods]) {
      await add();
      await sleep(deployment.minReadySeconds * 1000);
      problems.push(...(await takeAway(old, pods)));
    }
    await sleep(steadySeconds * 1000);
    await traffic.pause(patienceSeconds * 1000);
    problems.push(...(await judge(journal, env, pods)));
  } finally {
    balancer.stop();
    await Promise.all(all.map((pod) => pod.remove()));
  }
  const counts = [201, 409, 503, 0].map((status) => `${status}: ${journal.count(status)}`).join(', ');
  return { problems, figures: `${counts}, slowest ${Math.round(journal.worstMs)} ms` };
}

async function startPod(image: string, name: string, env: Env): Promise<Pod> {
  const port = String(await chooseFreePort());
  const variables = {
    ...env,
    PORT: port,
    MIGRATE_ON_START: 'false',
    RATE_LIMIT_MAX: '1000000000',
    LOG_LEVEL: 'warn',
  };
  return Pod.start(image, name, variables);
}

/** What Kubernetes does with a pod that has to go: preStop and then SIGTERM, while the load balancer is still noticing. */
async function takeAway(pod: Pod, pods: Pod[]): Promise<string[]> {
  const noticed = sleep(noticeSeconds * 1000).then(() => pods.splice(pods.indexOf(pod), 1));
  await sleep(preStopSeconds * 1000);
  const { code } = await pod.terminate(spec.terminationGracePeriodSeconds - preStopSeconds);
  await noticed;
  return code === 0 ? [] : [`${pod.name} ended with ${code}: ${await pod.logs()}`];
}

async function judge(journal: Journal, env: Env, pods: readonly Pod[]): Promise<string[]> {
  const servers = inspected(env);
  await eventually('lag is 0', patienceSeconds, async () => (await lag(servers)) === 0);
  const rows = await readRows(servers);
  const violations = findViolations({
    tolerates: [],
    isWithoutFault: false,
    journal,
    planted: { deadLetters: [], registrations: [] },
    rows,
    deadLetters: await readDeadLetters(servers),
    announced: { records: [], table: [] }, // Nobody is told.
    // Nobody is erased.
    replayable: [],
    keysOfGone: [],
    storedEmails: await askAboutRows(rows, pods),
    livenessFailures: [],
    recoveryFailures: journal.count(503) > 0 ? [`${journal.count(503)} requests were turned away`] : [],
  });
  return violations.map(
    ({ invariant, count, details }) => `${count} x not so: ${invariant} (${details[0] ?? ''})`,
  );
}

async function isReady({ url }: Pod): Promise<boolean> {
  return (await ask(`${url}/api/health/ready`, 2000)).status === 200;
}

import { eventually } from './eventually';
import { ask } from './http-client';
import type { ServiceReplica } from './service-replica';

const readyLimitSeconds = 15;
const healthTimeoutMs = 2000;

/** Resolves to the milliseconds until every replica that runs is ready and healthy; rejects after 15 s. */
export async function untilWell(replicas: readonly ServiceReplica[]): Promise<number> {
  const times = replicas.map((replica) =>
    eventually(
      `${replica.name} is ready and healthy`,
      readyLimitSeconds,
      async () => !replica.isRunning || (await isWell(replica)),
    ),
  );
  return Math.round(Math.max(...(await Promise.all(times))));
}

/** Whether a replica is ready and every dependency healthy. */
export async function isWell({ url }: ServiceReplica): Promise<boolean> {
  const responses = await Promise.all([
    ask(`${url}/api/health/ready`, healthTimeoutMs),
    ask(`${url}/api/health`, healthTimeoutMs),
  ]);
  return responses.every(({ status }) => status === 200);
}

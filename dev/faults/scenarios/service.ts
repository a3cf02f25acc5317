import { eventually } from '../eventually';
import { ask } from '../http-client';
import type { Scenario, Stage } from '../scenario';
import type { ServiceReplica } from '../service-replica';

const insert = 'INSERT INTO users';
const insertDone = /INSERT 0 [1-9]/;
const commitDone = 'COMMIT\0';

/** Faults of the service's own processes. */
export const serviceScenarios: readonly Scenario[] = [
  {
    name: 'service-killed-mid-batch',
    title: 'a replica is killed with SIGKILL when its INSERT is on its way to PostgreSQL; three times',
    tolerates: ['cuts'],
    isRepeatable: true,
    run: (stage) => killThreeTimes(stage, (packet, isRequest) => isRequest && packet.includes(insert)),
  },
  {
    name: 'service-killed-before-commit',
    title: 'a replica is killed between its INSERT and the COMMIT; three times',
    tolerates: ['cuts'],
    isRepeatable: true,
    run: (stage) =>
      killThreeTimes(stage, (packet, isRequest) => !isRequest && insertDone.test(packet.toString('latin1'))),
  },
  {
    name: 'service-killed-before-event',
    title: 'a replica is killed when its rows are committed, before the events and the offset; three times',
    tolerates: ['cuts'],
    isRepeatable: true,
    run: (stage) => killThreeTimes(stage, commitAfterInsert()),
  },
  {
    name: 'service-sigterm',
    title: 'each replica gets SIGTERM under load, without being drained, and is started again',
    tolerates: ['cuts'],
    isRepeatable: true,
    async run({ bed }) {
      for (const replica of [...bed.replicas]) {
        await stopCleanly(replica);
        await replica.start();
        await untilReady(replica);
      }
    },
  },
  {
    name: 'service-sigterm-postgres-frozen',
    title: 'a replica gets SIGTERM while PostgreSQL is frozen',
    tolerates: ['cuts', 'conflicts'],
    async run({ bed }) {
      const [replica] = bed.replicas;
      await bed.postgres.process.freeze();
      await bed.hold(3);
      if (replica) await stopCleanly(replica);
      await bed.postgres.process.thaw();
      await replica?.start();
    },
  },
  {
    name: 'service-rolling-restart',
    title: 'both replicas are replaced one after the other, drained before SIGTERM: no request may fail',
    tolerates: [],
    isRepeatable: true,
    async run(stage) {
      for (const replica of [...stage.bed.replicas]) await replaceDrained(stage, replica);
    },
  },
  {
    name: 'service-blocked',
    title: 'the event loop of a replica is blocked for 10 s',
    tolerates: ['slow'],
    isRepeatable: true,
    async run({ bed }) {
      await bed.replicas[0]?.blockEventLoop();
    },
  },
  {
    name: 'service-small-heap',
    title: '600 registrations a second for 15 s while Kafka is frozen, with a heap of 96 MB',
    tolerates: [],
    nodeOptions: ['--max-old-space-size=96', '--max-semi-space-size=16'],
    reachesRedisDirectly: true,
    async run({ bed, traffic }) {
      await bed.kafka.process.freeze();
      traffic.start(600);
      await bed.hold(15);
      traffic.start();
      await bed.kafka.process.thaw();
    },
  },
];

/** Kills the replica that sends or receives the packet, and starts it again. */
async function killThreeTimes(
  { bed }: Stage,
  isMoment: (packet: Buffer, isRequest: boolean) => boolean,
): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const killed = await killAt(bed.replicas, isMoment);
    await killed.start();
    await untilReady(killed);
  }
}

/** PostgreSQL's response to the COMMIT of an INSERT. Those of other transactions are told by what came right before them. */
function commitAfterInsert(): (packet: Buffer, isRequest: boolean) => boolean {
  let isInserted = false;
  return (packet, isRequest) => {
    if (isRequest) return false;
    const text = packet.toString('latin1');
    const isMoment = isInserted && text.includes(commitDone);
    isInserted = !isMoment && (isInserted || insertDone.test(text));
    return isMoment;
  };
}

async function killAt(
  replicas: readonly ServiceReplica[],
  isMoment: (packet: Buffer, isRequest: boolean) => boolean,
): Promise<ServiceReplica> {
  const victim = await new Promise<ServiceReplica>((resolve) => {
    let chosen: ServiceReplica | undefined;
    for (const replica of replicas) {
      replica.postgres.intercept((packet, direction) => {
        if (chosen === undefined && isMoment(packet, direction === 'request')) {
          chosen = replica;
          // Frozen at once, killed later: not one more instruction runs.
          replica.freeze();
          resolve(replica);
        }
        return chosen !== replica;
      });
    }
  });
  await victim.kill();
  await Promise.all(replicas.map((replica) => replica.postgres.heal()));
  return victim;
}

async function stopCleanly(replica: ServiceReplica): Promise<void> {
  const code = await replica.stop();
  if (code !== 0) throw new Error(`${replica.name} ended with ${code} after SIGTERM`);
}

/** As Kubernetes does it: drained first, then stopped, then replaced. */
async function replaceDrained({ bed, balancer }: Stage, replica: ServiceReplica): Promise<void> {
  balancer.drain(replica, true);
  await bed.hold(1);
  await stopCleanly(replica);
  await replica.start();
  await untilReady(replica);
  balancer.drain(replica, false);
  await bed.hold(2);
}

async function untilReady(replica: ServiceReplica): Promise<void> {
  const isReady = async (): Promise<boolean> =>
    (await ask(`${replica.url}/api/health/ready`, 2000)).status === 200;
  await eventually(`${replica.name} is ready`, 15, isReady);
}

import { Kafka, logLevel } from 'kafkajs';
import { eventually } from '../../faults/eventually';
import type { Contender } from '../contender';
import { measureDrain } from './drain';

const maxReplicas = 3;
const joinLimitSeconds = 60;

/** How fast one, two and three processes together write a backlog. */
export async function measureReplicas(
  contender: Contender,
  records: number,
): Promise<Record<string, number>> {
  const results: Record<string, number> = {};
  for (let replicas = 1; replicas <= maxReplicas; replicas += 1) {
    if (replicas > 1) await contender.addReplica();
    await untilShared(contender, replicas);
    await measureDrain(contender, records); // The warm-up of the new process.
    const { 'drain, rows/s': rate } = await measureDrain(contender, records);
    results[`drain with ${replicas} processes, rows/s`] = rate ?? NaN;
  }
  return results;
}

/** Resolves when the consumer group has that many members and none is joining. */
async function untilShared({ env }: Contender, members: number): Promise<void> {
  const kafka = new Kafka({ brokers: [env['KAFKA_BROKERS'] ?? ''], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    await eventually(`${members} members of the group`, joinLimitSeconds, async () => {
      const { groups } = await admin.describeGroups([env['KAFKA_GROUP_ID'] ?? '']);
      return groups[0]?.state === 'Stable' && groups[0].members.length === members;
    });
  } finally {
    await admin.disconnect();
  }
}

import { withAdmin } from '../../tests/support/kafka-tools';
import { consumerGroup as groupId, topic } from './inspect';
import type { Stage } from './scenario';

/** Makes the consumer group read everything again, from the beginning; it has begun when this resolves. */
export async function readAgain({ bed, traffic, untilWell }: Stage): Promise<void> {
  await traffic.pause(30);
  await Promise.all(bed.replicas.map((replica) => replica.stop()));
  await withAdmin(bed.env, (admin) => admin.resetOffsets({ groupId, topic, earliest: true }));
  await Promise.all(bed.replicas.map((replica) => replica.start()));
  await untilWell();
  traffic.start();
}

import type { Admin, Kafka } from 'kafkajs';
import { closeWithin } from '../runtime/timeout';

const DISCONNECT_TIMEOUT_MS = 1000;

/** Connects an admin client for one piece of work and disconnects it afterwards. */
export async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await closeWithin(DISCONNECT_TIMEOUT_MS, admin.disconnect());
  }
}

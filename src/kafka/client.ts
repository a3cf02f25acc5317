import './codecs';
import { Kafka, logLevel, type Admin, type SASLOptions } from './kafkajs';
import type { Config } from '../config/config';
import { closeWithin } from '../runtime/timeout';
import type { Logger } from '../services/ports/telemetry';

const DISCONNECT_TIMEOUT_MS = 1000;

/** Settings shared by producer, consumer and admin. Each of them retries in its own loop, hence few retries here. */
export function createKafka(config: Config['kafka'], log: Logger): Kafka {
  return new Kafka({
    clientId: config.clientId,
    brokers: [...config.brokers],
    ssl: config.ssl,
    ...(config.sasl && { sasl: config.sasl as SASLOptions }),
    connectionTimeout: 3000,
    requestTimeout: 4000,
    retry: { retries: 1, initialRetryTime: 100, restartOnFailure: () => Promise.resolve(false) },
    logLevel: logLevel.INFO,
    // kafkajs reports every attempt at ERROR. The loops around it report what lasts: its own lines are for debugging.
    logCreator: () => (entry) => {
      const { namespace, label } = entry;
      const { message, error } = entry.log;
      const reason = error !== undefined && { reason: String(error) };
      log.debug(`kafkajs: ${message}`, { namespace, label, ...reason });
    },
  });
}

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

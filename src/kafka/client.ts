import './codecs';
import { Kafka, logLevel, type KafkaConfig, type LogEntry, type SASLOptions } from './kafkajs';
import type { Config } from '../config/config';
import type { Logger } from '../services/ports/telemetry';

const CONNECT_TIMEOUT_MS = 3000;
const REQUEST_TIMEOUT_MS = 4000;

/** Settings shared by producer, consumer and admin. Each of them retries in its own loop, hence few retries here. */
export function createKafka(config: Config['kafka'], log: Logger): Kafka {
  const options: KafkaConfig = {
    clientId: config.clientId,
    brokers: [...config.brokers],
    ssl: config.ssl,
    ...(config.sasl && { sasl: config.sasl as SASLOptions }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: 1, initialRetryTime: 100, restartOnFailure: () => Promise.resolve(false) },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => logEntry(entry, log),
  };
  return new Kafka(options);
}

// kafkajs reports every attempt at ERROR. The loops around it report what lasts, so its own lines are for debugging.
function logEntry({ namespace, label, log: { message, error } }: LogEntry, log: Logger): void {
  log.debug(`kafkajs: ${message}`, {
    namespace,
    label,
    ...(error !== undefined && { reason: String(error) }),
  });
}

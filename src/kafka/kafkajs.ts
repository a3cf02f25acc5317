// First: kafkajs takes the record encoder when it is loaded.
import './kafkajs-patches';
import { KafkaJSBrokerNotFound, KafkaJSProtocolError } from 'kafkajs';

/** kafkajs with its patches: import it from here for more than its types. */
export * from 'kafkajs';

/** The type of Kafka's error response, such as MESSAGE_TOO_LARGE; undefined when the error is no response of a broker. */
export function protocolErrorType(error: unknown): string | undefined {
  // kafkajs wraps them, once or twice.
  if (error instanceof KafkaJSProtocolError) return error.type;
  // Of a partition without a leader: a broker said so.
  if (error instanceof KafkaJSBrokerNotFound) return 'LEADER_NOT_AVAILABLE';
  return error instanceof Error ? protocolErrorType(error.cause) : undefined;
}

/** Whether a broker rejects a send for its size. */
export function isTooLarge(error: unknown): boolean {
  return ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].includes(protocolErrorType(error) ?? '');
}

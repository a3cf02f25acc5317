import type { Message } from 'kafkajs';
import {
  ACCEPTED_AT_HEADER,
  EVENT_ID_HEADER,
  REQUEST_ID_HEADER,
  TRACEPARENT_HEADER,
} from '../services/registration-record';
import type { DeadLetter, RegistrationEvent } from '../services/ports/messaging';

/** A registration as a record: key = email (one email, one partition, one order), value = the six fields. */
export function toMessage(
  event: RegistrationEvent,
  requestId: string,
  traceparent?: string,
): Message & { key: string; value: string } {
  const headers = {
    [EVENT_ID_HEADER]: event.eventId,
    [ACCEPTED_AT_HEADER]: event.acceptedAt,
    [REQUEST_ID_HEADER]: requestId,
    ...(traceparent !== undefined && { [TRACEPARENT_HEADER]: traceparent }),
  };
  return { key: event.registration.email, value: JSON.stringify(event.registration), headers };
}

/** For a record that alone is larger than the topic allows: it has no partition and no offset, which are given as -1. */
export function toUnsentDeadLetter(topic: string, { key, value, headers = {} }: Message): DeadLetter {
  const [keyBytes, valueBytes] = [Buffer.from(String(key)), Buffer.from(String(value))];
  const record = { topic, partition: -1, offset: '-1', key: keyBytes, value: valueBytes, headers };
  return { record, reason: 'unstorable', error: 'the record is larger than the topic allows' };
}

import type { Message } from 'kafkajs';
import { ACCEPTED_AT_HEADER, EVENT_ID_HEADER, REQUEST_ID_HEADER } from '../services/registration-record';
import type { RegistrationEvent } from '../services/ports';

/** A registration as a record: key = e-mail (one e-mail, one partition, one order), value = the six fields. */
export function toMessage(
  event: RegistrationEvent,
  requestId: string,
): Message & { key: string; value: string } {
  return {
    key: event.registration.email,
    value: JSON.stringify(event.registration),
    headers: {
      [EVENT_ID_HEADER]: event.eventId,
      [ACCEPTED_AT_HEADER]: event.acceptedAt,
      [REQUEST_ID_HEADER]: requestId,
    },
  };
}

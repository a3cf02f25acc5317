import type { Message } from 'kafkajs';
import { UnavailableError } from '../domain/errors';
import type { ErasedUser, RegisteredUser, UserEvents, UserEventType } from '../services/ports/messaging';
import type { PipelineMetrics } from '../services/ports/telemetry';
import { TRACEPARENT_HEADER } from '../services/registration-record';
import { outgoing, PartSender } from './part-sender';
import type { KafkaProducer } from './producer';

const SOURCE = '/user-registration-backend';
// With the longest send a row is in the topic 45 s after it was read. An erasure is announced 0 to 15, 15 to 45, 45 to 90
// and 105 to 165 s after it (Erasures.announce), so no row stays behind its erasure. One that a frozen broker holds up keeps
// its partition from confirming announcements, too: two of them are left for the time after it.
const MAX_ROW_AGE_MS = 10_000;

export interface KafkaUserEventsDeps {
  readonly producer: Pick<KafkaProducer, 'send'>;
  readonly topic: string;
  readonly metrics: Pick<PipelineMetrics, 'eventsPublished'>;
}

/**
 * A compacted topic that is the users table: key = id, value = the row as the API returns it, or null when it was erased.
 * CloudEvents 1.0 in binary mode. The same event may be published more than once, always with the same id.
 */
export class KafkaUserEvents implements UserEvents {
  private readonly parts: PartSender;

  constructor(private readonly deps: KafkaUserEventsDeps) {
    this.parts = new PartSender((messages) => deps.producer.send(deps.topic, messages));
  }

  registered(users: readonly RegisteredUser[], readAt: number): Promise<void> {
    return this.publish('registered', users.map(toRegistered), readAt + MAX_ROW_AGE_MS);
  }

  erased(users: readonly ErasedUser[]): Promise<void> {
    return this.publish('erased', users.map(toErased), Infinity);
  }

  private async publish(type: UserEventType, messages: readonly Message[], until: number): Promise<void> {
    const waiting = messages.map(outgoing);
    while (waiting.length > 0) {
      if (performance.now() > until) throw new UnavailableError('the rows were read too long ago');
      const sent = await this.parts.sendFirst(waiting);
      waiting.splice(0, sent);
      this.deps.metrics.eventsPublished(type, sent);
    }
  }
}

function toRegistered({ user, traceparent }: RegisteredUser): Message {
  const headers = {
    ...headersOf('registered', user.id, user.created_at),
    'content-type': 'application/json',
    ...(traceparent !== undefined && { [TRACEPARENT_HEADER]: traceparent }),
  };
  return { key: String(user.id), value: JSON.stringify(user), headers };
}

function toErased({ id, erasedAtMs }: ErasedUser): Message {
  return {
    key: String(id),
    value: null,
    headers: headersOf('erased', id, new Date(erasedAtMs).toISOString()),
  };
}

// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
function headersOf(type: UserEventType, id: number, time: string): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_id: `user-${id}-${type}`,
    ce_type: `user.${type}.v1`,
    ce_source: SOURCE,
    ce_subject: String(id),
    // Rows that were made by hand may have times that RFC 3339 does not, or none.
    ...(/^\d{4}-/.test(time) && { ce_time: time }),
  };
}

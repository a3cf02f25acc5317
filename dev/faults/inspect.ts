import { Redis } from 'ioredis';
import type { Registration } from '../../src/domain/registration';
import { pendingKey } from '../../src/redis/keys-and-lifetimes';
import { readAll } from '../../tests/support/kafka-tools';
import { sql, type Env } from '../../tests/support/test-servers';
import type { DeadLetterSeen } from './evidence';

/** The service's defaults. */
export const topic = 'user-registration';
export const consumerGroup = 'user-registration-consumer';

/** The servers' addresses, with the service's default topic and group. */
export function inspected(env: Env): Env {
  return { ...env, KAFKA_TOPIC: topic, KAFKA_GROUP_ID: consumerGroup };
}

/** Every row as a registration. */
export async function readRows(env: Env): Promise<(Registration & { readonly id: number })[]> {
  const columns = 'id, first_name AS "firstName", last_name AS "lastName", email, gender, sex, occupation';
  return (await sql(env, `SELECT ${columns} FROM users`)) as unknown as (Registration & { id: number })[];
}

export async function readDeadLetters(env: Env): Promise<DeadLetterSeen[]> {
  const records = await readAll(env, `${topic}.dlq`);
  return records.map(({ key, value, headers }) => ({
    email: key ?? '',
    value: value ?? 'null',
    reason: headers['dead-letter-reason'] ?? '',
  }));
}

/** Every email with a reservation. */
export async function readPendingEmails(env: Env): Promise<string[]> {
  const redis = new Redis(env['REDIS_URL'] ?? '');
  try {
    const keys = await redis.keys(pendingKey('*'));
    return keys.map((key) => key.slice(pendingKey('').length));
  } finally {
    redis.disconnect();
  }
}

import { loadConfig } from '../../src/config/config';
import type { Registration } from '../../src/domain/registration';
import { completedKey, failedKey, pendingKey } from '../../src/redis/keys-and-lifetimes';
import { withStores } from '../../src/tools/clients';
import { DeadLetterArchive } from '../../src/tools/dead-letter-archive';
import { DeadLetterReplay } from '../../src/tools/dead-letter-replay';
import { readAll } from '../../tests/support/kafka-tools';
import { sql, withRedis, type Env } from '../../tests/support/test-servers';
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
  const keys = await withRedis(env, (_, primaries) =>
    Promise.all(primaries.map((node) => node.keys(pendingKey('*')))),
  );
  return keys.flat().map((key) => key.slice(pendingKey('').length));
}

/** Every key that Redis holds for these emails. */
export async function readKeysOf(env: Env, emails: ReadonlySet<string>): Promise<string[]> {
  const keys = [...emails].flatMap((email) => [pendingKey(email), completedKey(email), failedKey(email)]);
  const found = await withRedis(env, (redis) => Promise.all(keys.map((key) => redis.exists(key))));
  return keys.filter((_, index) => found[index] === 1);
}

/** The email of each dead letter that `npm run dlq -- replay` would send again. */
export async function readReplayable(env: Env): Promise<string[]> {
  const config = loadConfig(env);
  const emails: string[] = [];
  await withStores(config, async (stores) => {
    const replay = new DeadLetterReplay({ ...stores, dryRun: true });
    await new DeadLetterArchive(config.kafka).read({}, async (deadLetters) => {
      for (const { deadLetter, outcome } of await replay.replay(deadLetters))
        if (outcome === 'sent') emails.push(String(deadLetter.key));
    });
  });
  return emails;
}

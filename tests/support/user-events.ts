import type { User } from '../../src/domain/stored-user';
import { USER_COLUMNS } from '../../src/postgres/user-columns';
import { readAll, type ReadRecord } from './kafka-tools';
import { sql, type Env } from './test-servers';

/** Every record of the events topic, in the order of each key. */
export function userEventsIn(env: Env): Promise<ReadRecord[]> {
  return readAll(env, env['KAFKA_EVENTS_TOPIC'] ?? '');
}

/** What a reader of these records ends with: the last of each key, as after a compaction, in the order of their ids. */
export function compacted(records: readonly ReadRecord[]): User[] {
  const users = new Map<string | undefined, User>();
  for (const { key, value } of records) {
    if (value === undefined) users.delete(key);
    else users.set(key, JSON.parse(value) as User);
  }
  return [...users.values()].sort((a, b) => a.id - b.id);
}

/** Every row, as the API returns it, in the order of their ids. */
export function usersTable(env: Env): Promise<Record<string, unknown>[]> {
  return sql(env, `SELECT ${USER_COLUMNS} FROM users ORDER BY users.id`);
}

/** Fails unless the events topic is the users table, row for row. Resolves to its records. */
export async function expectTopicIsTable(env: Env): Promise<ReadRecord[]> {
  const records = await userEventsIn(env);
  expect(compacted(records)).toEqual(await usersTable(env));
  return records;
}

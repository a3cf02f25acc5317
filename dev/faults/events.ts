import type { Env } from '../../tests/support/test-servers';
import type { ReadRecord } from '../../tests/support/kafka-tools';
import { compacted, userEventsIn, usersTable } from '../../tests/support/user-events';
import { eventually } from './eventually';

export const eventsTopic = 'user-events';

// An erasure is the last word of its key by then, and the service sweeps every 15 s.
const settleLimitSeconds = 110;

/** What other programs were told, and what is stored. */
export interface Announced {
  /** Of the events topic, in the order of each key. */
  readonly records: readonly ReadRecord[];
  /** Every row, as the API returns it. */
  readonly table: readonly Readonly<Record<string, unknown>>[];
}

/** Reads both, when the service had its time to announce erasures. */
export async function readAnnounced(env: Env): Promise<Announced> {
  const table = await usersTable(env);
  let records: readonly ReadRecord[] = [];
  await eventually('the events topic is the table', settleLimitSeconds, async () => {
    records = await userEventsIn({ ...env, KAFKA_EVENTS_TOPIC: eventsTopic });
    return [...announcedOtherwise({ records, table })].length === 0;
  }).catch(() => undefined); // findViolations() judges it.
  return { records, table };
}

/** Where the topic, compacted, is not the table, and what was ever told of a row that it is not. */
export function* announcedOtherwise({ records, table }: Announced): Iterable<{ detail: string }> {
  const rows = new Map(table.map((row) => [String(row['id']), JSON.stringify(row)]));
  const left = new Set(compacted(records).map(({ id }) => String(id)));
  for (const id of rows.keys()) if (!left.delete(id)) yield { detail: `row ${id} is not in the topic` };
  for (const id of left) yield { detail: `the topic has row ${id}` };
  for (const { key = '', value } of records) {
    const row = rows.get(key);
    if (row !== undefined && value !== undefined && value !== row)
      yield { detail: `the topic has other fields of row ${key}` };
  }
}

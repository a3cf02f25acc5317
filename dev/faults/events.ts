import { isSameRegistration, type Registration } from '../../src/domain/registration';
import { registrationOf, type User } from '../../src/domain/stored-user';
import type { Env } from '../../tests/support/test-servers';
import { compacted, userEventsIn } from '../../tests/support/user-events';
import { eventually } from './eventually';
import type { Evidence } from './evidence';

export const eventsTopic = 'user-events';

// An erasure is the last word of its key by then, and the service sweeps every 15 s.
const settleLimitSeconds = 110;

type Rows = readonly (Registration & { readonly id: number })[];

/** The users that a reader of the events topic ends with, when the service had its time to announce erasures. */
export async function readAnnounced(env: Env, rows: Rows): Promise<readonly User[]> {
  let announced: readonly User[] = [];
  await eventually('the events topic is the table', settleLimitSeconds, async () => {
    announced = compacted(await userEventsIn({ ...env, KAFKA_EVENTS_TOPIC: eventsTopic }));
    return [...announcedOtherwise({ rows, announced })].length === 0;
  }).catch(() => undefined); // findViolations() judges it.
  return announced;
}

/** Where the topic, compacted, is not the table. */
export function* announcedOtherwise({
  rows,
  announced,
}: Pick<Evidence, 'rows' | 'announced'>): Iterable<{ email: string; detail: string }> {
  if (announced === undefined) return;
  const left = new Map(announced.map((user) => [user.id, user]));
  for (const row of rows) {
    const user = left.get(row.id);
    left.delete(row.id);
    if (user === undefined) yield { email: row.email, detail: `row ${row.id} is not in the topic` };
    else if (!isSameRegistration(registrationOf(user), row))
      yield { email: row.email, detail: `the topic has other fields of row ${row.id}` };
  }
  for (const { email, id } of left.values()) yield { email, detail: `the topic has row ${id}` };
}

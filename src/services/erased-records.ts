import { isErased } from '../domain/erasure';
import type { ReceivedRecord } from './ports/messaging';
import type { Users } from './ports/stores';
import { emailsIn, originOf } from './registration-record';

/** Those of people who were erased after them, also when they have registered anew. Throws UnavailableError. */
export async function findErased<Record extends ReceivedRecord>(
  records: readonly Record[],
  users: Pick<Users, 'findErasures'>,
): Promise<ReadonlySet<Record>> {
  const emailsOf = new Map(records.map((record) => [record, emailsIn(record)]));
  const emails = new Set([...emailsOf.values()].flat());
  const erasures = emails.size > 0 ? await users.findErasures([...emails]) : undefined;
  const wasErased = (record: Record): boolean =>
    emailsOf.get(record)?.some((email) => isErased(originOf(record), erasures?.get(email))) ?? false;
  return new Set(records.filter(wasErased));
}

import { emailDigest } from '../domain/erasure';
import type { TopicSettings } from '../kafka/topic-settings';
import { BATCH_TIMEOUT_MS } from '../redis/connection';
import { completedKey, failedKey, parseEntry, pendingKey } from '../redis/keys-and-lifetimes';
import { findErased } from '../services/erased-records';
import type { Stores } from './clients';
import { contentOf, describeDeadLetter, formatId, type StoredDeadLetter } from './dead-letter';

/** What is held in one place, and its end, ISO 8601 in UTC; null: no end is set. */
type Held = Readonly<{ where: string; until: string | null; data: unknown }>;

const isoOf = (end: Date | undefined): string | null => end?.toISOString() ?? null;

/** What PostgreSQL and Redis hold of a canonical email. Throws UnavailableError. */
export async function findHeld(email: string, { users, redis }: Stores, memoryMs: number): Promise<Held[]> {
  const rows = await users.findByEmails([email]);
  const erasures = [...(await users.findErasures([email])).values()];
  const keys = [pendingKey(email), completedKey(email), failedKey(email)];
  const entries = await redis.run(BATCH_TIMEOUT_MS, (commands) =>
    Promise.all(
      keys.map(async (key) => ({ key, leftMs: await commands.pttl(key), text: await commands.get(key) })),
    ),
  );
  return [
    ...rows.map((data) => ({ where: 'PostgreSQL users', until: null, data })),
    ...erasures.map(({ erasedAtMs, eventIds }) => {
      const data = { digest: emailDigest(email), erasedAt: isoOf(new Date(erasedAtMs)), eventIds };
      return { where: 'PostgreSQL erasures', until: isoOf(new Date(erasedAtMs + memoryMs)), data };
    }),
    ...entries.flatMap(({ key, leftMs, text }) => {
      const until = leftMs < 0 ? null : isoOf(new Date(Date.now() + leftMs));
      return text === null ? [] : [{ where: `Redis ${key}`, until, data: parseEntry(text) ?? text }];
    }),
  ];
}

/** The same for dead letters. One that the person was erased after is only named: it may be somebody else's. */
export async function describeHeld(
  deadLetters: readonly StoredDeadLetter[],
  { users }: Pick<Stores, 'users'>,
  settings: TopicSettings,
): Promise<Held[]> {
  const erased = await findErased(deadLetters, users);
  return deadLetters.map((each) => ({
    where: `Kafka ${each.topic} ${formatId(each)}`,
    until: isoOf(settings.copiesEnd(Date.parse(each.writtenAt))),
    data: erased.has(each) ? { ...describeDeadLetter(each), erased: true } : contentOf(each),
  }));
}

import { CLOCK_MARGIN_MS, type Erasure } from '../domain/erasure';
import { RejectedError, UnavailableError } from '../domain/errors';
import type { User } from '../domain/stored-user';
import type { ErasedUser } from '../services/ports/messaging';
import type { DueErasure, Erasures, ErasureTarget, RecordedErasure } from '../services/ports/stores';
import { WRITER_LOCK } from './insert-missing';
import type { PostgresPool, Run } from './pool';
import { USER_COLUMNS } from './user-columns';

// For what somebody waits for. The wait for the writers under way is half of it.
const REQUEST_TIMEOUT_MS = 2000;
const TIMEOUT_MS = 10_000;
const SWEEP_LIMIT = 100;
/** The longest lifetime of a key in Redis, and an hour. */
const EMAIL_HOURS = 25;
// Kept from earlier erasures: those accepted before the last one are known by their time by then.
const MAX_EVENT_IDS = 100;
const MAX_USER_IDS = 1000;
// Not row locks: an erasure must not wait for what a sweep waits for.
const [SWEEP_LOCK, ANNOUNCE_LOCK] = [WRITER_LOCK + 1, WRITER_LOCK + 2];
// Waits for the writers under way and holds up the next ones. Not LOCK TABLE, which also waits for a vacuum or a dump.
const LOCK_WRITERS = `SELECT pg_advisory_xact_lock(${WRITER_LOCK})`;

const FACTS = `(extract(epoch FROM erased_at) * 1000)::float8 AS "erasedAtMs", event_ids AS "eventIds"`;

// A time in the future is no time of this service: that row is old.
const ERASE = `
  WITH target AS (
    SELECT decode(t.digest, 'hex') AS email_sha256, t.email, array_remove(ARRAY[t.event_id], NULL) AS event_ids,
      date_trunc('milliseconds', least(to_timestamp(t.as_of_ms / 1000), clock_timestamp())) AS erased_at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[]) AS t(digest, email, event_id, as_of_ms)),
  young AS (
    SELECT email FROM users WHERE email = ANY ($2::text[])
      AND abs(extract(epoch FROM CASE WHEN isfinite(created_at) THEN (now() AT TIME ZONE 'UTC') - created_at END)) < ${(2 * CLOCK_MARGIN_MS) / 1000}),
  deleted AS (
    DELETE FROM users WHERE email = ANY ($2::text[]) AND email NOT IN (SELECT email FROM young) RETURNING id, email),
  recorded AS (
    INSERT INTO erasures AS e (email_sha256, erased_at, event_ids, requested_by, email, user_ids)
    SELECT email_sha256, erased_at, event_ids, $5, email,
      ARRAY(SELECT d.id FROM deleted d WHERE d.email = target.email)
    FROM target WHERE email IS NULL OR email NOT IN (SELECT email FROM young)
    ON CONFLICT (email_sha256) DO UPDATE SET erased_at = greatest(e.erased_at, EXCLUDED.erased_at),
      event_ids = (EXCLUDED.event_ids || e.event_ids)[1:${MAX_EVENT_IDS}], requested_by = EXCLUDED.requested_by,
      email = coalesce(EXCLUDED.email, e.email), recorded_at = now(), swept_at = NULL,
      user_ids = (EXCLUDED.user_ids || e.user_ids)[1:${MAX_USER_IDS}], announcements = 0, announce_at = now()
    RETURNING email_sha256, erased_at, event_ids, email)
  SELECT encode(email_sha256, 'hex') AS digest, email, ${FACTS}, email IS NOT NULL AND email IN (SELECT email FROM deleted) AS row FROM recorded`;

// Each time the age has doubled: what a reader or writer that was under way has put back goes as soon as it came late.
const DUE = `
  SELECT email, ${FACTS} FROM erasures
  WHERE email IS NOT NULL AND (swept_at IS NULL OR swept_at < clock_timestamp() - $1 * interval '1 millisecond'
    OR clock_timestamp() - recorded_at > 2 * (swept_at - recorded_at) + interval '5 seconds')
  ORDER BY swept_at NULLS FIRST LIMIT ${SWEEP_LIMIT}`;

const SCAN = `
  WITH page AS (SELECT id, email FROM users WHERE id > $2::bigint ORDER BY id LIMIT 50000)
  SELECT (SELECT max(id)::float8 FROM page) AS last, ARRAY(
    SELECT email FROM page WHERE encode(sha256(convert_to(email, 'UTF8')), 'hex') = ANY ($1::text[])) AS emails`;

const MARK_SWEPT = `
  UPDATE erasures SET swept_at = clock_timestamp()
  WHERE email_sha256 IN (SELECT sha256(convert_to(email, 'UTF8')) FROM unnest($1::text[]) AS t(email))`;

const UNANNOUNCED = `
  SELECT encode(email_sha256, 'hex') AS digest, user_ids::float8[] AS "userIds", announce_at::text AS due, ${FACTS} FROM erasures
  WHERE user_ids <> '{}' AND announce_at <= clock_timestamp() ORDER BY announce_at LIMIT ${SWEEP_LIMIT}`;

// 15, 30 and 60 s apart: see KafkaUserEvents. Not of who was erased again meanwhile.
const MARK_ANNOUNCED = `
  UPDATE erasures SET announcements = announcements + 1,
    announce_at = clock_timestamp() + 2 ^ announcements * interval '15 seconds',
    user_ids = CASE WHEN announcements < 3 THEN user_ids ELSE '{}' END
  FROM unnest($1::text[], $2::text[]) AS t(digest, due)
  WHERE email_sha256 = decode(t.digest, 'hex') AND announce_at = t.due::timestamptz`;

const HAS_EMAIL_TOO_LONG = `email IS NOT NULL AND recorded_at < now() - interval '${EMAIL_HOURS} hours'`;
const IS_OLD = `recorded_at < now() - $1 * interval '1 day' AND NOT ($2 AND user_ids <> '{}')`;
const SURVEY = `
  SELECT (count(*) FILTER (WHERE swept_at IS NULL)
      + (SELECT count(*) FROM erasures WHERE $2 AND user_ids <> '{}' AND announcements = 0))::int AS unfinished,
    EXISTS (SELECT FROM erasures WHERE ${HAS_EMAIL_TOO_LONG}) AS "hasEmails",
    EXISTS (SELECT FROM erasures WHERE ${IS_OLD}) AS "hasOld"
  FROM erasures WHERE email IS NOT NULL`;
const some = (condition: string): string =>
  `email_sha256 IN (SELECT email_sha256 FROM erasures WHERE ${condition} LIMIT 1000)`;

type Unannounced = Erasure & Readonly<{ digest: string; userIds: number[]; due: string }>;
type Page = Readonly<{ emails: string[]; last: number | null }>;
type Survey = Readonly<{ unfinished: number; hasEmails: boolean; hasOld: boolean }>;

/** The table erasures, by parameterized statements only. */
export class PostgresErasures implements Erasures {
  constructor(private readonly pool: PostgresPool) {}

  erase(targets: readonly ErasureTarget[], requestedBy: string): Promise<RecordedErasure[]> {
    const column = (name: keyof ErasureTarget) => targets.map((target) => target[name] ?? null);
    const values = [column('digest'), column('email'), column('eventId'), column('asOfMs'), requestedBy];
    return this.transaction(REQUEST_TIMEOUT_MS, (run) => run<RecordedErasure>(ERASE, values), LOCK_WRITERS);
  }

  async emailsOf(digests: readonly string[]): Promise<string[]> {
    const emails: string[] = [];
    let after: number | null = -(2 ** 53);
    while (after !== null) {
      const values: unknown[] = [digests, after];
      const pages: Page[] = await this.pool.query<Page>(SCAN, values);
      emails.push(...pages.flatMap((page) => page.emails));
      after = pages[0]?.last ?? null;
    }
    return emails;
  }

  async markSwept(emails: readonly string[]): Promise<void> {
    await this.transaction(REQUEST_TIMEOUT_MS, (run) => run(MARK_SWEPT, [emails]));
  }

  sweep(redisConnectedMs: number, clean: (due: readonly DueErasure[]) => Promise<void>): Promise<boolean> {
    return this.unlessLocked(SWEEP_LOCK, async (run) => {
      const due = await run<Erasure & { email: string }>(DUE, [redisConnectedMs]);
      if (due.length === 0) return false;
      const emails = due.map(({ email }) => email);
      const sql = `SELECT ${USER_COLUMNS} FROM users WHERE email = ANY ($1::text[])`;
      const users = new Map((await run<User>(sql, [emails])).map((user) => [user.email, user]));
      await clean(due.map((each) => ({ ...each, user: users.get(each.email) })));
      await run(MARK_SWEPT, [emails]);
      return due.length === SWEEP_LIMIT;
    });
  }

  announce(publish: (users: readonly ErasedUser[]) => Promise<void>): Promise<boolean> {
    return this.unlessLocked(ANNOUNCE_LOCK, async (run) => {
      const due = await run<Unannounced>(UNANNOUNCED);
      if (due.length === 0) return false;
      await publish(due.flatMap(({ userIds, erasedAtMs }) => userIds.map((id) => ({ id, erasedAtMs }))));
      await run(MARK_ANNOUNCED, [due.map(({ digest }) => digest), due.map((each) => each.due)]);
      return due.length === SWEEP_LIMIT;
    });
  }

  forget(memoryDays: number, mustAnnounce: boolean): Promise<number> {
    return this.transaction(TIMEOUT_MS, async (run) => {
      const values = [memoryDays, mustAnnounce];
      const [found] = await run<Survey>(SURVEY, values);
      // Only when there is something: DB_USER may have no right to it where nobody is ever erased.
      if (found?.hasEmails) await run(`UPDATE erasures SET email = NULL WHERE ${some(HAS_EMAIL_TOO_LONG)}`);
      if (found?.hasOld) await run(`DELETE FROM erasures WHERE ${some(IS_OLD)}`, values);
      return found?.unfinished ?? 0;
    });
  }

  /** Resolves to false while another process has the lock. */
  private unlessLocked(lock: number, work: (run: Run) => Promise<boolean>): Promise<boolean> {
    return this.transaction(TIMEOUT_MS, async (run) => {
      const [row] = await run<{ held: boolean }>(`SELECT pg_try_advisory_xact_lock(${lock}) AS held`);
      return row?.held === true && work(run);
    });
  }

  // What only the set-up is to blame for (25006: read-only), or the time it takes, counts as unavailability: nothing was done.
  private async transaction<T>(timeoutMs: number, work: (run: Run) => Promise<T>, first = ''): Promise<T> {
    return this.pool.transaction(timeoutMs, work, first).catch((error: unknown) => {
      if (!(error instanceof RejectedError) || !/^(25006|42|57014)/.test(error.sqlState)) throw error;
      throw new UnavailableError('PostgreSQL rejected the statement', { cause: error });
    });
  }
}

/** Users.findErasures() */
export async function readErasures(
  pool: PostgresPool,
  emails: readonly string[],
): Promise<Map<string, Erasure>> {
  const rows = await pool.query<Erasure & { email: string }>(
    `SELECT t.email, ${FACTS} FROM unnest($1::text[]) AS t(email)
     JOIN erasures e ON e.email_sha256 = sha256(convert_to(t.email, 'UTF8'))`,
    [emails],
  );
  return new Map(rows.map((row) => [row.email, row]));
}

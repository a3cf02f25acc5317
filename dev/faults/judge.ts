import { findGone } from './erasures';
import { readAnnounced } from './events';
import { eventually } from './eventually';
import type { FaultRun } from './fault-run';
import {
  inspected,
  readDeadLetters,
  readKeysOf,
  readPendingEmails,
  readReplayable,
  readRows,
} from './inspect';
import { findViolations } from './invariants';
import type { Outcome } from './outcome';
import { untilWell } from './recovery';
import { askAboutRows, chooseRows, type StoredEmail } from './stored-emails';

const cleanLimitSeconds = 90;

/** Collects what is left after a run that has drained, and holds it against the invariants. */
export async function judge(run: FaultRun): Promise<Outcome> {
  run.phase = 'judging';
  const { scenario, bed, journal, planted, problems } = run;
  const env = inspected(bed.env);
  const rows = await readRows(env);
  const deadLetters = await readDeadLetters(env);
  const storedEmails = await askAboutStored(run, rows);
  const keysOfGone = await leftInRedis(run);
  const announced = await readAnnounced(env);
  let replayable: readonly string[] = [];
  if (deadLetters.length > 0) await problems.attempt(async () => (replayable = await readReplayable(env)));
  const livenessFailures = bed.replicas.flatMap((replica) => replica.livenessFailures);
  await stopReplicas(run);
  const violations = findViolations({
    tolerates: scenario.tolerates,
    isWithoutFault: scenario.name === 'none',
    ...{ journal, planted, rows, deadLetters, replayable, keysOfGone, announced, storedEmails },
    livenessFailures,
    recoveryFailures: problems.lines,
  });
  const figures = {
    ...run.figures,
    posts: journal.size,
    '201': journal.count(201),
    '409': journal.count(409),
    '503': journal.count(503),
    cut: journal.count(0),
    erased: journal.erased,
    worstMs: Math.round(journal.worstMs),
    rows: rows.length,
    deadLetters: deadLetters.length,
    asked: storedEmails.length,
  };
  return { scenario: scenario.name, violations, figures };
}

/** None while a server is not well, which is a violation of its own. */
async function askAboutStored(
  { bed, planted, journal, faultWindow, random, problems }: FaultRun,
  rows: Awaited<ReturnType<typeof readRows>>,
): Promise<readonly StoredEmail[]> {
  const reserved = await readPendingEmails(bed.env);
  const suspects = {
    reservedOrPlanted: new Set([...reserved, ...planted.registrations.map(({ email }) => email)]),
    duringFault: journal.emailsSentBetween(faultWindow.from, faultWindow.to),
  };
  let storedEmails: readonly StoredEmail[] = [];
  await problems.attempt(async () => {
    await untilWell(bed.replicas);
    const running = bed.replicas.filter(({ isRunning }) => isRunning);
    storedEmails = await askAboutRows(chooseRows(rows, suspects, random), running);
  });
  return storedEmails;
}

/** What Redis still holds of people who are gone when the service had its time to clean it. */
async function leftInRedis({ bed, journal, scenario }: FaultRun): Promise<readonly string[]> {
  const gone = findGone({ journal, tolerates: scenario.tolerates });
  let keys: readonly string[] = [];
  await eventually('Redis is clean', cleanLimitSeconds, async () => {
    keys = await readKeysOf(bed.env, gone);
    return keys.length === 0;
  }).catch(() => undefined); // findViolations() judges the keys.
  return keys;
}

async function stopReplicas({ bed, problems }: FaultRun): Promise<void> {
  for (const replica of bed.replicas) {
    const code = await replica.stop();
    if (code !== 0) problems.add(`${replica.name} ended with ${code} after SIGTERM at the end`);
  }
}

import type { Config } from '../config/config';
import { createKafka } from '../kafka/client';
import { KafkaProducer } from '../kafka/producer';
import { KafkaUserEvents } from '../kafka/user-events';
import { PostgresPool } from '../postgres/pool';
import { readUsersFrom } from '../postgres/users-by-id';
import { Lifecycle } from '../runtime/lifecycle';
import { abortOnSignal } from '../runtime/signals';
import { ASSUME_AVAILABLE, NOOP_LOGGER, STOP_TIMEOUT_MS } from './clients';
import { parseOptions, plural, startTool, UsageError, type Tool } from './run-tool';
import type { Terminal } from './terminal';

/** A parsed `events` command line. */
interface EventsCommand {
  readonly name: 'backfill';
  readonly fromId: number;
}

const HELP = `Usage: npm run events -- <command> [options]        (in the image: node dist/tools/events.js <command> [options])

  backfill [--from-id <n>]   publishes every user of the table, or those from this id on, to KAFKA_EVENTS_TOPIC; safe to
                             repeat, and beside registrations and erasures

Settings come from the environment and .env, as for the service. Exit code: 0, 1 when it failed, 2 when the command line is wrong.`;

const FIRST_ID = -(2 ** 53);
// Read and confirmed within seconds: see KafkaUserEvents, which sends no row that was read long ago.
const PAGE_ROWS = 500;

/** `npm run events`: the events topic, for operators. It stops after a page when `stop` is aborted. */
export function createEventsTool(stop: AbortSignal): Tool<EventsCommand> {
  return {
    help: HELP,
    parse,
    run: (command, config, terminal) => run(command, config, terminal, stop),
  };
}

function parse([name, ...args]: string[]): EventsCommand {
  if (name !== 'backfill') throw new UsageError('the command must be backfill');
  const { values, positionals } = parseOptions(args, { 'from-id': { type: 'string' } });
  if (positionals.length > 0) throw new UsageError('backfill takes only options');
  const id = values['from-id'] ?? String(FIRST_ID);
  if (!/^-?\d{1,16}$/.test(id)) throw new UsageError('--from-id must be a number');
  return { name, fromId: Number(id) };
}

async function run(
  { fromId }: EventsCommand,
  config: Config,
  terminal: Terminal,
  stop: AbortSignal,
): Promise<void> {
  const { eventsTopic: topic } = config.kafka;
  if (topic === undefined) throw new Error('KAFKA_EVENTS_TOPIC is not set');
  const pool = new PostgresPool({ config: config.postgres, state: ASSUME_AVAILABLE, log: NOOP_LOGGER });
  const producer = new KafkaProducer(createKafka(config.kafka, NOOP_LOGGER), NOOP_LOGGER);
  const lifecycle = new Lifecycle(NOOP_LOGGER);
  lifecycle.register([pool, producer]);
  const metrics = { eventsPublished: () => undefined };
  const events = new KafkaUserEvents({ producer, topic, metrics });
  try {
    await lifecycle.start();
    await backfill(fromId, { pool, events, terminal, stop });
  } finally {
    await lifecycle.stop(STOP_TIMEOUT_MS);
  }
}

interface BackfillDeps {
  readonly pool: PostgresPool;
  readonly events: KafkaUserEvents;
  readonly terminal: Terminal;
  readonly stop: AbortSignal;
}

async function backfill(fromId: number, { pool, events, terminal, stop }: BackfillDeps): Promise<void> {
  let [next, count] = [fromId, 0];
  try {
    for (let isLast = false; !isLast;) {
      if (stop.aborted) throw new Error('stopped by a signal');
      const readAt = performance.now();
      const users = await readUsersFrom(pool, next, PAGE_ROWS);
      await events.registered(
        users.map((user) => ({ user })),
        readAt,
      );
      count += users.length;
      next = (users.at(-1)?.id ?? next - 1) + 1;
      isLast = users.length < PAGE_ROWS;
      terminal.progress(`${plural(count, 'user')}, next id ${next}`);
    }
  } catch (error) {
    const option = next === FIRST_ID ? '' : `: go on with --from-id ${next}`;
    terminal.note(`Cut short after ${plural(count, 'user')}${option}`);
    throw error;
  }
  terminal.line(`${plural(count, 'user')} published`);
}

if (require.main === module) startTool(createEventsTool(abortOnSignal()));

import fc from 'fast-check';
import {
  AlreadyRegisteredError,
  RecentlyRegisteredError,
  RegistrationInProgressError,
  UnavailableError,
} from '../../../src/domain/errors';
import type { Registration } from '../../../src/domain/registration';
import { registrationOf, type User } from '../../../src/domain/stored-user';
import { DeadLetterPublisher } from '../../../src/services/dead-letter-publisher';
import { ErasureService } from '../../../src/services/erasure-service';
import type { ReceivedRecord, RegistrationEvent } from '../../../src/services/ports/messaging';
import { RegistrationService } from '../../../src/services/registration-service';
import { RegistrationWriter } from '../../../src/services/registration-writer';
import { buildRecord, buildRegistration } from '../../support/builders';
import { resetClock, setClock } from '../../support/clock';
import { InMemoryErasures, InMemoryUsers } from '../../support/fakes/postgres';
import {
  InMemoryFailureMarks,
  InMemoryReservationReader,
  InMemoryReservations,
  InMemoryUserCache,
} from '../../support/fakes/redis';
import { RecordingDeadLetters } from '../../support/fakes/kafka';
import { RecordingMetrics } from '../../support/fakes/metrics';
import { RecordingLogger } from '../../support/recording-logger';

const START = Date.UTC(2026, 5, 1);
const EMAILS = ['ada@example.com', 'bob@example.com'];
const NAMES = ['One', 'Two'];

/** Gives a row the time at which it was inserted, which says whether it is too young to be erased. */
class ClockedUsers extends InMemoryUsers {
  override async insertMissing(
    batch: Parameters<InMemoryUsers['insertMissing']>[0],
  ): Promise<Map<string, User>> {
    const known = new Set(this.rows);
    await super.insertMissing(batch);
    const created_at = new Date().toISOString();
    const rows = this.rows.map((row) => (known.has(row) ? row : { ...row, created_at }));
    this.rows.splice(0, rows.length, ...rows);
    const users = await this.findByEmails(batch.map(({ email }) => email));
    return new Map(users.map((user) => [user.email, user]));
  }
}

/** The service on fakes, and Kafka as a list. */
class World {
  readonly users = new ClockedUsers();
  readonly erasures = new InMemoryErasures(this.users);
  readonly pending = new InMemoryReservations();
  readonly completed = new InMemoryUserCache();
  readonly failed = new InMemoryFailureMarks();
  readonly entries = new InMemoryReservationReader(this.pending);
  readonly deadLetters = new RecordingDeadLetters();
  readonly metrics = new RecordingMetrics();
  readonly log = new RecordingLogger();
  readonly deliveryTimeoutMs = 1000;
  readonly topic: { readonly record: ReceivedRecord; readonly registration: Registration }[] = [];
  readonly queue = {
    acquire: () => ({
      release: () => undefined,
      publish: (event: RegistrationEvent) => this.append(event),
    }),
  };
  readonly registering = new RegistrationService(this);
  readonly erasing = new ErasureService(this);
  readonly deadLetterPublisher = new DeadLetterPublisher(this);
  readonly writer = new RegistrationWriter(this);
  private readonly redis = [this.pending, this.completed, this.failed];
  private offset = 0;
  private saved: (() => void)[] = [];
  nowMs = START;
  /** Until then an erasure may not know an event that is on its way: the documented exception. */
  inexactUntilMs = 0;
  /** Then a request without PostgreSQL is accepted although there is a row. */
  hasRedisLostData = false;

  wait(ms: number, skewMs = 0): void {
    this.nowMs += ms;
    setClock(this.nowMs + skewMs);
  }

  private append({ eventId, acceptedAt, registration }: RegistrationEvent): Promise<void> {
    const headers = { 'event-id': eventId, 'accepted-at': acceptedAt };
    const record = buildRecord({ value: registration, headers, offset: String(this.topic.length) });
    this.topic.push({ record, registration });
    return Promise.resolve();
  }

  async consume(records: number): Promise<void> {
    const part = this.topic.slice(this.offset, this.offset + records);
    await this.writer.write(part.map(({ record }) => record));
    this.offset += part.length;
  }

  /** The process ends between a write and the commit of its offset: another one gets the same records again. */
  async restart(): Promise<void> {
    const { offset } = this;
    await this.consume(3);
    this.offset = offset;
  }

  async readAgain(): Promise<void> {
    this.offset = 0;
    await this.consume(this.topic.length);
  }

  setRedis(state: 'away' | 'back' | 'lost' | 'older' | 'saved'): Promise<void> {
    if (state === 'saved') {
      this.saved = this.redis.map(({ entries }) => {
        const copy = [...entries] as [string, never][];
        return () => {
          entries.clear();
          copy.forEach(([key, value]) => entries.set(key, value));
        };
      });
      return Promise.resolve();
    }
    this.hasRedisLostData = true;
    this.redis.forEach((store) => (store.isUnavailable = state === 'away'));
    if (state === 'lost') this.redis.forEach(({ entries }) => entries.clear());
    if (state === 'older') this.saved.forEach((restore) => restore());
    this.inexactUntilMs = state === 'away' ? Infinity : this.nowMs + 11_000;
    return Promise.resolve();
  }
}

/** What must hold: by email, the registrations that got a 201 after its last erasure. */
type Model = Map<string, { accepted: string[]; recordsBefore: number }>;

type Command = (world: World, model: Model) => Promise<void>;

const register =
  (email: string, firstName: string, waitMs: number, skewMs: number): Command =>
  async (world, model) => {
    world.wait(waitMs, skewMs);
    const refused = await world.registering
      .register(buildRegistration({ email, firstName }), 'req')
      .then(() => undefined)
      .catch((error: unknown) => error);
    world.wait(0);
    if (refused === undefined) model.get(email)?.accepted.push(firstName);
    else
      expect([AlreadyRegisteredError, RegistrationInProgressError, UnavailableError]).toContain(
        (refused as Error).constructor,
      );
  };

const withoutPostgres =
  (command: Command): Command =>
  async (world, model) => {
    if (world.nowMs < world.inexactUntilMs) world.wait(11_000);
    world.users.isUnavailable = true;
    await command(world, model);
    world.users.isUnavailable = false;
    const until = world.nowMs + 11_000;
    if (world.hasRedisLostData) world.inexactUntilMs = Math.max(world.inexactUntilMs, until);
  };

const erase =
  (email: string, waitMs: number): Command =>
  async (world, model) => {
    world.wait(waitMs);
    if (world.nowMs < world.inexactUntilMs) world.wait(11_000);
    const refused = await world.erasing
      .eraseOne(email, 'dpo', 'req')
      .then(() => undefined)
      .catch((error: unknown) => error);
    if (refused === undefined) model.set(email, { accepted: [], recordsBefore: world.topic.length });
    else expect(refused).toBeInstanceOf(RecentlyRegisteredError);
  };

const email = fc.constantFrom(...EMAILS);
const waitMs = fc.constantFrom(0, 500, 20_000);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(email, fc.constantFrom(...NAMES), waitMs, fc.constantFrom(-4000, 0, 4000))
      .chain((args) => fc.constantFrom(register(...args), withoutPostgres(register(...args)))),
  },
  { weight: 3, arbitrary: fc.tuple(email, waitMs).map((args) => erase(...args)) },
  { weight: 2, arbitrary: fc.constantFrom(1, 3).map((count) => (world: World) => world.consume(count)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      (world: World) => world.readAgain(),
      (world: World) => world.restart(),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<Parameters<World['setRedis']>[0]>('away', 'back', 'lost', 'older', 'saved')
      .map((state) => (world: World) => world.setRedis(state)),
  },
);

afterEach(resetClock);

describe('erasure, whatever comes before, after and between', () => {
  it('brings nobody back, and every 201 that was given after it is the row', async () => {
    const run = async (commands: readonly Command[]): Promise<void> => {
      const world = new World();
      setClock(START);
      const model: Model = new Map(EMAILS.map((each) => [each, { accepted: [], recordsBefore: 0 }]));
      for (const each of commands) await each(world, model);
      await world.setRedis('back');
      world.deadLetters.published.splice(0);
      await world.readAgain();
      await world.erasures.sweep(0, (due) => world.erasing.clean(due));

      for (const [each, { accepted, recordsBefore }] of model) {
        const row = await world.users.findByEmail(each);
        if (accepted.length === 0) {
          expect(row).toBeUndefined();
          expect(world.pending.entries.has(each)).toBe(false);
        } else expect(accepted).toContain(row && registrationOf(row).firstName);
        if (!world.users.erasures.size) continue;
        const cached = world.completed.entries.get(each);
        expect([undefined, row?.id]).toContain(cached?.id);
        const offsets = world.deadLetters.published
          .filter(({ record }) => record.key?.toString() === each)
          .map(({ record }) => Number(record.offset));
        expect(offsets.filter((offset) => offset < recordsBefore)).toEqual([]);
      }
    };

    const [ada = ''] = EMAILS;
    const redis = (state: Parameters<World['setRedis']>[0]) => (world: World) => world.setRedis(state);
    const sameAgain = register(ada, 'One', 500, 0);
    const examples: [Command[]][] = [
      [[sameAgain, redis('saved'), erase(ada, 20_000), redis('older'), sameAgain]],
      [[sameAgain, redis('away'), erase(ada, 20_000), redis('back'), sameAgain]],
      [[sameAgain, redis('saved'), erase(ada, 20_000), redis('older'), withoutPostgres(sameAgain)]],
      [[sameAgain, withoutPostgres(sameAgain), erase(ada, 500)]],
    ];
    const commands = fc.array(command, { maxLength: 20 });
    await fc.assert(fc.asyncProperty(commands, run), { numRuns: 500, examples });
  });
});
